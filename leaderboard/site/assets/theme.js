"use strict";
// Before anything is drawn: what the reader chose last time; without a choice the style follows the system.
try {
  const theme = localStorage.getItem("vnnbench-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser may refuse to store anything for pages from a disk.
}
