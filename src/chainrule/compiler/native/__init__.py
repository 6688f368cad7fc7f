"""Machine code: kernels as LLVM, vector mathematics, threads, and the store of compiled programs."""
