/* A backend of one's own in C99, against modelmill/backend.h alone: holds each number of its input between two bounds,
 * and counts those that were outside at /metrics. README.md says how it is built and used. */

#include <modelmill/backend.h>
#include <stdlib.h>
#include <string.h>

static const mm_host* host;

struct mm_model {
  mm_host_model* host_model;
  float low, high;
  mm_metric* clamped;
};

static mm_error* initialize(mm_initialize_args* args) {
  args->state = NULL; /* it keeps nothing beside its models */
  return NULL;
}

static void runtime_info(mm_backend_state* state, mm_runtime_info* out) {
  (void)state;
  out->available = 1;
  out->runtime = out->version = out->path = out->devices = out->problem = out->remedy = "";
}

/* A number after "KEY":{"string_value":" in the configuration, which comes as compact JSON; else `otherwise`. */
static float parameter(const char* config, const char* key, float otherwise) {
  static const char kBefore[] = "\":{\"string_value\":\"";
  const char* at = config;
  const size_t length = strlen(key);
  while ((at = strchr(at, '"')) != NULL) {
    if (strncmp(++at, key, length) == 0 && strncmp(at + length, kBefore, sizeof kBefore - 1) == 0)
      return strtof(at + length + sizeof kBefore - 1, NULL);
  }
  return otherwise;
}

static mm_error* model_load(mm_backend_state* state, mm_model_load_args* args) {
  struct mm_model* model = calloc(1, sizeof *model);
  mm_metric_args metric;
  mm_error* error;
  (void)state;
  if (model == NULL) return host->error_new(MM_RESOURCE_EXHAUSTED, "out of memory");
  model->host_model = args->host_model;
  model->low = parameter(args->config_json, "low", 0);
  model->high = parameter(args->config_json, "high", 1);
  if (model->low > model->high) {
    free(model);
    return host->error_new(MM_INVALID_ARGUMENT, "parameter 'low' is above 'high'; exchange them");
  }
  memset(&metric, 0, sizeof metric);
  metric.struct_size = sizeof metric;
  metric.kind = MM_METRIC_COUNTER;
  metric.name = "clamp_outside_total";
  metric.help = "Numbers that were outside the bounds";
  error = host->metric_new(args->host_model, &metric, &model->clamped);
  if (error != NULL) {
    free(model);
    return error;
  }
  args->model = model;
  return NULL;
}

static mm_error* model_info(mm_model* model, mm_model_info* out) {
  static const int64_t kShape[] = {-1, -1};
  static const mm_tensor_spec kInput = {sizeof kInput, "x", MM_FP32, 2, kShape, NULL, 0};
  static const mm_tensor_spec kOutput = {sizeof kOutput, "y", MM_FP32, 2, kShape, NULL, 0};
  (void)model;
  out->inputs = &kInput;
  out->input_count = 1;
  out->outputs = &kOutput;
  out->output_count = 1;
  /* It never waits, and no row depends on another: the server may batch at will. */
  out->capabilities = MM_CAP_INLINE_SAFE | MM_CAP_CONCURRENT_EXECUTE | MM_CAP_ROWS_INDEPENDENT;
  out->memory_bytes = sizeof *model;
  out->recommended_instances = 0;
  out->platform = "";
  return NULL;
}

static void model_unload(mm_model* model) { free(model); }

/* Instances have nothing of their own here. */
static mm_error* instance_create(mm_instance_args* args) {
  args->instance = (mm_instance*)args->model;
  return NULL;
}

static void instance_destroy(mm_instance* instance) { (void)instance; }

static mm_error* answer(const struct mm_model* model, mm_request* request, mm_response* response) {
  mm_tensor x = {.struct_size = sizeof x};
  mm_output_args y = {.struct_size = sizeof y, .name = "y", .dtype = MM_FP32};
  uint64_t outside = 0, size, i;
  uint32_t chunk;
  float* to;
  mm_error* error = host->request_input(request, 0, &x);
  if (error != NULL) return error;
  y.rank = x.rank;
  y.shape = x.shape;
  error = host->output_allocate(response, &y);
  if (error != NULL) return error;
  to = y.data;
  for (chunk = 0; chunk < x.chunk_count; ++chunk) {
    const char* from = x.chunks[chunk].data;
    size = x.chunks[chunk].size / sizeof(float);
    for (i = 0; i < size; ++i, ++to) {
      memcpy(to, from + i * sizeof(float), sizeof(float)); /* chunks have any alignment */
      if (*to < model->low || *to > model->high) ++outside;
      if (*to < model->low) *to = model->low;
      if (*to > model->high) *to = model->high;
    }
  }
  host->metric_update(model->clamped, (double)outside);
  return NULL;
}

static mm_error* execute(mm_execute_args* args) {
  const struct mm_model* model = (const struct mm_model*)args->instance;
  const mm_execution_done_args done = {.struct_size = sizeof done};
  uint32_t i;
  for (i = 0; i < args->request_count; ++i) {
    mm_response* response = NULL;
    mm_error* error = host->response_new(args->requests[i], &response);
    if (error != NULL) { /* only when the request has been answered already */
      host->error_free(error);
      continue;
    }
    error = answer(model, args->requests[i], response);
    host->response_send(response, error, MM_RESPONSE_FINAL); /* an error is the request's own */
  }
  host->execution_done(args->execution, &done);
  return NULL;
}

static const mm_backend kBackend = {
    .struct_size = sizeof kBackend,
    .abi_major = MM_ABI_MAJOR,
    .abi_minor = MM_ABI_MINOR,
    .name = "clamp",
    .version = "1.0",
    .default_file = "",
    .file_extensions = "",
    .initialize = initialize,
    .runtime_info = runtime_info,
    .model_load = model_load,
    .model_info = model_info,
    .model_unload = model_unload,
    .instance_create = instance_create,
    .instance_destroy = instance_destroy,
    .execute = execute,
};

const mm_backend* mm_backend_entry(const mm_host* table) {
  if (table->abi_major != MM_ABI_MAJOR) return NULL;
  host = table;
  return &kBackend;
}
