"""``python -m p2p_keras``: the same as the command ``p2p-keras``."""

from p2p_keras.cli import main

if __name__ == "__main__":
    main(prog_name="p2p-keras")
