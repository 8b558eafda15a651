<?xml version = "1.0" encoding="UTF-8" standalone="yes"?>
<CPLEXSolution version="1.2">
 <header problemName="t" objectiveValue="-1.7999" writeLevel="3"/>
 <quality epInt="1e-05"/>
 <linearConstraints>
  <constraint name="z_1_0" index="0" slack="0"/>
  <constraint name="y_1" index="1" slack="0"/>
 </linearConstraints>
 <variables>
  <variable name="p_0" index="0" value="1.3"/>
  <variable name="d_1_0" index="2" value="1"/>
  <variable name="y_1" index="3" value="0.10"/>
 </variables>
</CPLEXSolution>
