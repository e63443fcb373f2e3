"""`python -m asi_arch` is `asi-arch`."""

from asi_arch.cli import main

if __name__ == "__main__":
    main()
