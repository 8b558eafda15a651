solution status: optimal solution found
objective value:                     -1.7999
p_0                                               1.3 	(obj:-1)
d_1_0                                               1 	(obj:-0.5)
y_1                                               0.1 	(obj:0.001)
