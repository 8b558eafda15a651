c Status:     OPTIMAL
s bas 2 4 f f -1.7999
i 1 u 2.3 -0.5
i 2 s 0.1 0.001
j 1 u 1.3 -0.5
j 2 l 0 0.249
j 3 b 1 0
j 4 b 0.1 0
e o f
