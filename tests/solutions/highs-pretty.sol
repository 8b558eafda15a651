Columns
    Index Status        Lower        Upper       Primal         Dual  Type        Name
        0     UB            0          1.7          1.3         -0.5  Continuous  p_0
        1                   0          inf            0               Continuous  z_1_0
        2     BS            0            1            1            0  Integer     d_1_0
        3                -inf          inf          0.1               Continuous  y_1
Rows
    Index Status        Lower        Upper       Primal         Dual  Name
        0                -inf          2.3          2.3               z_1_0
        1                 0.1          0.1          0.1               y_1

Model status: Optimal

Objective value: -1.7999
