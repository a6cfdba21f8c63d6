# Bearometer on CPUs: ONNX Runtime, no torch.  docker build -t bearometer:local .
FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/bearometer
COPY pyproject.toml constraints.txt README.md LICENSE ./
# The dependencies first: they are built anew only when they change.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > dependencies.txt \
    && /opt/bearometer/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r dependencies.txt
COPY alerts alerts
COPY bearometer bearometer
COPY ingest ingest
COPY model model
COPY storage storage
COPY stream stream
RUN /opt/bearometer/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/bearometer --create-home bearometer
COPY --from=build /opt/bearometer /opt/bearometer
ENV PATH=/opt/bearometer/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /var/lib/bearometer
USER 10001:10001
ENTRYPOINT ["bearometer"]
CMD ["--help"]
