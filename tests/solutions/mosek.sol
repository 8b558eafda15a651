NAME                : t
PROBLEM STATUS      : PRIMAL_FEASIBLE
SOLUTION STATUS     : INTEGER_OPTIMAL
OBJECTIVE NAME      : objective
PRIMAL OBJECTIVE    : -1.7999e+00
DUAL OBJECTIVE      : NAN

CONSTRAINTS
INDEX      NAME           AT ACTIVITY                 LOWER LIMIT              UPPER LIMIT
0          z_1_0          UL 2.30000000000000e+00     NONE                     2.30000000e+00
1          y_1            EQ 1.00000000000000e-01     1.00000000e-01           1.00000000e-01

VARIABLES
INDEX      NAME           AT ACTIVITY                 LOWER LIMIT              UPPER LIMIT
0          p_0            SB 1.30000000000000e+00     0.00000000e+00           1.70000000e+00
1          z_1_0          LL 0.00000000000000e+00     0.00000000e+00           NONE
2          d_1_0          ** 1.00000000000000e+00     0.00000000e+00           1.00000000e+00
3          y_1            SB 1.00000000000000e-01     0.00000000e+00           NONE
