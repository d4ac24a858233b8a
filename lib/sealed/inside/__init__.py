"""The programs that run inside the sandbox. They import nothing else of `sealed`."""
