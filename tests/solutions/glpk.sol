c Problem:    t
c Status:     INTEGER OPTIMAL
c
s mip 2 4 o -1.7999
i 1 2.3
i 2 0.1
j 1 1.3
j 2 0
j 3 1
j 4 0.1
e o f
