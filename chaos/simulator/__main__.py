"""`python -m chaos.simulator`."""

from chaos.simulator.cli import app

if __name__ == "__main__":
    app(prog_name="python -m chaos.simulator")
