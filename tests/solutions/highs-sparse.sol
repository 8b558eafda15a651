Model status
Optimal

# Primal solution values
Feasible
Objective -1.7999
# Columns -3
p_0 1.3 0
d_1_0 1 2
y_1 0.1 3
