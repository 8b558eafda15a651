# Solution for model t
# Objective value = -1.7999
p_0 1.3
z_1_0 0
d_1_0 1
y_1 0.1
