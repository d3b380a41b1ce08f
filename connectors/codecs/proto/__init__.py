"""Wire formats that no library brings: our own .proto files and what `make proto` compiles of them."""
