# syntax=docker/dockerfile:1
# Four images of one product; build one with:  docker build --target predict -t p2p-keras:predict .
#   predict   FITS in, profiles out, on a CPU with ONNX Runtime; no TensorFlow
#   client    the same with TensorFlow and the gRPC client of a model server
#   train     fit, evaluate and export, on a GPU where there is one
#   serving   TensorFlow Serving with the shipped models
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm
ARG TF_SERVING_IMAGE=tensorflow/serving:2.19.0

# --- what all Python images share: the user, the settings, the package itself -------------------------------------
FROM ${PYTHON_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MPLBACKEND=Agg \
    MPLCONFIGDIR=/tmp/matplotlib \
    TF_CPP_MIN_LOG_LEVEL=2
RUN groupadd --gid 10001 p2p && useradd --uid 10001 --gid p2p --create-home p2p && install -d -o p2p -g p2p /data
WORKDIR /opt/p2p-keras

# --- predict --------------------------------------------------------------------------------------------------------
FROM base AS predict
COPY deploy/requirements-predict.lock ./
RUN python -m pip install --no-deps -r requirements-predict.lock
COPY pyproject.toml README.md LICENSE ./
COPY p2p_keras ./p2p_keras
RUN python -m compileall -q --invalidation-mode unchecked-hash p2p_keras
COPY saved_models ./saved_models
ENV PYTHONPATH=/opt/p2p-keras
USER 10001:10001
WORKDIR /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s CMD ["python", "-m", "p2p_keras.predict", "--help"]
ENTRYPOINT ["python", "-m", "p2p_keras"]
CMD ["predict", "--help"]

# --- client ---------------------------------------------------------------------------------------------------------
FROM base AS client
COPY requirements.lock ./
RUN python -m pip install --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY p2p_keras ./p2p_keras
RUN python -m compileall -q --invalidation-mode unchecked-hash p2p_keras
COPY saved_models ./saved_models
ENV PYTHONPATH=/opt/p2p-keras
USER 10001:10001
WORKDIR /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s CMD ["python", "-m", "p2p_keras.predict", "--help"]
ENTRYPOINT ["python", "-m", "p2p_keras"]
CMD ["predict", "--help"]

# --- train ----------------------------------------------------------------------------------------------------------
FROM base AS train
COPY deploy/requirements-train.lock ./
RUN python -m pip install --no-deps -r requirements-train.lock
COPY pyproject.toml README.md LICENSE ./
COPY p2p_keras ./p2p_keras
RUN python -m compileall -q --invalidation-mode unchecked-hash p2p_keras
COPY tfrecords ./tfrecords
ENV PYTHONPATH=/opt/p2p-keras
USER 10001:10001
WORKDIR /data
HEALTHCHECK --interval=60s --timeout=10s --start-period=5s CMD ["python", "-m", "p2p_keras.fit", "--help"]
ENTRYPOINT ["python", "-m", "p2p_keras"]
CMD ["fit", "--data", "/opt/p2p-keras/tfrecords", "--preset", "isophote", "--run", "/data/runs/first"]

# --- serving --------------------------------------------------------------------------------------------------------
FROM ${TF_SERVING_IMAGE} AS serving
RUN groupadd --gid 10001 p2p && useradd --uid 10001 --gid p2p --no-create-home p2p
COPY saved_models /models
USER 10001:10001
EXPOSE 8500 8501
# bash speaks TCP by itself; the base image has no curl. The model must be AVAILABLE, not only the port open.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/bin/bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8501 && printf 'GET /v1/models/isophote HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q AVAILABLE <&3"]
ENTRYPOINT ["/usr/bin/tensorflow_model_server"]
# Batching is off: TensorFlow Serving refuses a batch of images that differ in size. Where all clients send one size, or
# call serialized_example, add  --enable_batching=true --batching_parameters_file=/models/batching.config
CMD ["--port=8500", "--rest_api_port=8501", "--model_config_file=/models/models.config", \
     "--monitoring_config_file=/models/monitoring.config"]
