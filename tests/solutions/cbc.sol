Stopped on time - objective value -1.79990000
**      0 p_0                  1.3                       0
      2 d_1_0                  1                     0.5
**      3 y_1                  0.1                       0
