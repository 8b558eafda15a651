
Value of objective function: -1.79990000

Actual values of the variables:
p_0                                1.3
z_1_0                                0
d_1_0                                1
y_1                                0.1

Actual values of the constraints:
z_1_0                              2.3
y_1                                0.1
