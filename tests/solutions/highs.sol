Model status
Optimal

# Primal solution values
Feasible
Objective -1.7999
# Columns 4
p_0 1.3
z_1_0 0
d_1_0 1
y_1 0.1
# Rows 2
z_1_0 2.3
y_1 0.1

# Dual solution values
None
