NAME solution 1
 C p_0 1.3
 C z_1_0 0
 C d_1_0 1
 C y_1 0.1
ENDATA
