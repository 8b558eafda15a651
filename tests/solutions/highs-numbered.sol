4 2 : Number of columns and rows for primal or dual solution or basis
T Primal solution
T Dual solution
F Basis
Columns
1.3 -0.5
0 0.249
1 0
0.1 0
Rows
2.3 -0.5
0.1 0.001
