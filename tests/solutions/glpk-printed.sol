Problem:    t
Rows:       2
Columns:    4 (1 integer, 1 binary)
Non-zeros:  4
Status:     INTEGER OPTIMAL
Objective:  objective = -1.7999 (MINimum)

   No.   Row name        Activity     Lower bound   Upper bound
------ ------------    ------------- ------------- -------------
     1 z_1_0                     2.3                         2.3
     2 y_1                       0.1           0.1             =

   No. Column name       Activity     Lower bound   Upper bound
------ ------------    ------------- ------------- -------------
     1 p_0                       1.3             0           1.7
     2 z_1_0                       0             0
     3 d_1_0        *              1             0             1
     4 y_1
                                 0.1             0

Integer feasibility conditions:

KKT.PE: max.abs.err = 0.00e+00 on row 0
        High quality

End of output
