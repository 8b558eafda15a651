"use strict";
// Apply the theme that the reader chose last time, before anything is drawn. Without a choice the style follows the system.
try {
  const theme = localStorage.getItem("vnnbench-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser may refuse storage to pages from a disk.
}
