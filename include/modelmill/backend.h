/* modelmill backend ABI, version 1.
 *
 * A backend is a shared library that exports one function, mm_backend_entry. It gets the host's table of functions and
 * gives its own. The host opens the library with RTLD_LOCAL and never closes it.
 *
 * Growth. Every table and every struct begins with `struct_size`, set to sizeof of the struct as that side was compiled
 * by the side that provides the memory; the caller does so also for a struct that the other side fills in (`out`),
 * which then writes nothing beyond it. Within a major version members are only ever appended; a reader that was
 * compiled later checks MM_HAS(struct, member) before it reads, or writes, a member that 1.0 did not have. mm_chunk,
 * mm_tensor, mm_tensor_spec and mm_parameter stand in arrays and inside other structs, so they never grow. Another
 * major version is refused at load.
 *
 * Errors. A function that can fail returns `mm_error*`: NULL for success, else an error made by host->error_new, which
 * passes to the one who receives it; the host frees what a backend returns, and a backend frees with host->error_free
 * what the host returns. Out members are then not read. Codes are gRPC's. A message names the object, the limit, and
 * what to do.
 *
 * Text is UTF-8, zero-terminated. Sizes are 64-bit, in bytes. Times are nanoseconds of CLOCK_MONOTONIC. Shapes are
 * row-major, outermost dimension first; scalars have rank 0. No exception may cross this wall in either direction.
 *
 * Threads. Host functions may be called from any thread unless they say otherwise; calls that take the same request, or
 * responses of the same request, do not overlap, except request_cancelled. The host calls model_load,
 * model_signature, model_unload, instance_create, instance_destroy and memory_use of one model one after another;
 * model_load and model_unload never while that model executes, the others maybe while instances of it do. It calls
 * execute of one instance again only after its last execution is done and its last call has returned, and of different
 * instances at once.
 *
 * Nothing here assumes the host's address space beyond the pointers of one call: the same table is served to a worker
 * process.
 */
#ifndef MODELMILL_BACKEND_H_
#define MODELMILL_BACKEND_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MM_ABI_MAJOR 1
#define MM_ABI_MINOR 4

#if defined(__GNUC__)
#define MM_EXPORT __attribute__((visibility("default")))
#else
#define MM_EXPORT
#endif

/* True when the struct behind `args` is long enough to hold `member`. */
#define MM_HAS(args, member) \
  ((args)->struct_size >= (size_t)((const char*)&(args)->member - (const char*)(args)) + sizeof((args)->member))

/* ---- values --------------------------------------------------------------------------------------------------- */

/* gRPC's canonical status codes. */
typedef enum mm_code {
  MM_OK = 0,
  MM_CANCELLED = 1,
  MM_UNKNOWN = 2,
  MM_INVALID_ARGUMENT = 3,
  MM_DEADLINE_EXCEEDED = 4,
  MM_NOT_FOUND = 5,
  MM_ALREADY_EXISTS = 6,
  MM_PERMISSION_DENIED = 7,
  MM_RESOURCE_EXHAUSTED = 8,
  MM_FAILED_PRECONDITION = 9,
  MM_ABORTED = 10,
  MM_OUT_OF_RANGE = 11,
  MM_UNIMPLEMENTED = 12,
  MM_INTERNAL = 13,
  MM_UNAVAILABLE = 14,
  MM_DATA_LOSS = 15,
  MM_UNAUTHENTICATED = 16
} mm_code;

typedef enum mm_dtype {
  MM_DTYPE_INVALID = 0,
  MM_BOOL = 1,
  MM_UINT8 = 2,
  MM_UINT16 = 3,
  MM_UINT32 = 4,
  MM_UINT64 = 5,
  MM_INT8 = 6,
  MM_INT16 = 7,
  MM_INT32 = 8,
  MM_INT64 = 9,
  MM_FP16 = 10,
  MM_FP32 = 11,
  MM_FP64 = 12,
  MM_STRING = 13, /* see mm_tensor.offsets */
  MM_BF16 = 14
} mm_dtype;

typedef enum mm_log_level { MM_LOG_DEBUG = 0, MM_LOG_INFO = 1, MM_LOG_WARNING = 2, MM_LOG_ERROR = 3 } mm_log_level;

typedef enum mm_memory_kind { MM_MEMORY_CPU = 0, MM_MEMORY_CPU_PINNED = 1, MM_MEMORY_GPU = 2 } mm_memory_kind;

typedef enum mm_device_kind {
  MM_DEVICE_CPU = 0,
  MM_DEVICE_GPU = 1,
  MM_DEVICE_MODEL = 2 /* the backend decides */
} mm_device_kind;

typedef enum mm_metric_kind { MM_METRIC_COUNTER = 0, MM_METRIC_GAUGE = 1, MM_METRIC_HISTOGRAM = 2 } mm_metric_kind;

/* Handles. Made by the host: */
typedef struct mm_error mm_error;
typedef struct mm_host_model mm_host_model; /* a model, as the host knows it */
typedef struct mm_request mm_request;       /* one inference request */
typedef struct mm_response mm_response;     /* one answer in the making */
typedef struct mm_execution mm_execution;   /* one call of execute */
typedef struct mm_metric mm_metric;
typedef struct mm_call mm_call; /* a call of another model */
/* Made by the backend, opaque to the host: */
typedef struct mm_backend_state mm_backend_state;
typedef struct mm_model mm_model;
typedef struct mm_instance mm_instance;

/* A piece of memory. `stream` and `event` are the device runtime's own handles (cudaStream_t, cudaEvent_t) or NULL: the
 * bytes may be used on that stream, or anywhere once that event has passed; with neither they are ready now. */
typedef struct mm_chunk {
  size_t struct_size;
  const void* data;
  uint64_t size;
  mm_memory_kind kind;
  int32_t device_id;
  void* stream;
  void* event;
} mm_chunk;

/* A tensor to read. The bytes are the chunks one after another; each chunk holds whole elements. For MM_STRING the
 * chunks hold the strings' bytes without any separators, and string i is [offsets[i], offsets[i + 1]) of the
 * concatenation. */
typedef struct mm_tensor {
  size_t struct_size;
  const char* name;
  mm_dtype dtype;
  uint32_t rank;
  const int64_t* shape;
  uint64_t element_count;
  uint64_t byte_size;
  const mm_chunk* chunks;
  uint32_t chunk_count;
  const uint64_t* offsets; /* element_count + 1 of them for MM_STRING, else NULL */
} mm_tensor;

/* One input or output of a model, as its file declares it. */
typedef struct mm_tensor_spec {
  size_t struct_size;
  const char* name;
  mm_dtype dtype;
  uint32_t rank;
  const int64_t* shape;       /* -1: any size */
  const char* const* symbols; /* for each dimension the model's name for it, or NULL; the array may be NULL */
  int32_t optional;
} mm_tensor_spec;

/* ---- what a model can do ---------------------------------------------------------------------------------------- */

/* execute returns only after its execution is done, on the calling thread, and never blocks or waits for others: the
 * host may call it on an event loop. */
#define MM_CAP_INLINE_SAFE (1ull << 0)
/* execute may be called on one instance while others run on it; the host then needs one instance only. */
#define MM_CAP_CONCURRENT_EXECUTE (1ull << 1)
/* Keeps state between the requests of a sequence and reads the sequence controls. */
#define MM_CAP_STATEFUL (1ull << 2)
/* Takes requests of unequal shapes in one execution. */
#define MM_CAP_RAGGED (1ull << 3)
/* May give any number of responses to a request. */
#define MM_CAP_DECOUPLED (1ull << 4)
/* Every row of the first dimension is computed by itself by construction, so batching needs no proof by a probe. */
#define MM_CAP_ROWS_INDEPENDENT (1ull << 5)
/* The output shapes of model_info are what the model's file claims and may be wrong: the host does not hold answers to
 * them. */
#define MM_CAP_OUTPUT_SHAPES_UNSURE (1ull << 6)
/* Runs code that may mind inputs that the host made up: it is not tried out, and warmed up only with requests that its
 * author gave for that. */
#define MM_CAP_NO_TRIALS (1ull << 7)
/* Runs batches of the configuration's max_batch_size rows only: the host fills up those that have fewer, and throws the
 * answers to what it added away. */
#define MM_CAP_FULL_BATCHES (1ull << 8)
/* Takes inputs of any names, types and shapes, and gives any outputs: those of model_info are what its author says of
 * it, and nothing is held to them. Inputs come in the client's order. */
#define MM_CAP_OPEN_SIGNATURE (1ull << 9)

/* What a model says of its first dimension. */
typedef enum mm_batching {
  MM_BATCHING_UNKNOWN = 0, /* nothing: the host looks at the signature and tries */
  MM_BATCHING_NONE = 1,    /* it is none of a batch */
  MM_BATCHING_ROWS = 2     /* it is that of a batch of independent rows, of at most max_batch_size */
} mm_batching;

/* ---- the host's functions -----------------------------------------------------------------------------------------
 */

typedef struct mm_allocate_args {
  size_t struct_size;
  uint64_t size;
  uint64_t alignment; /* a power of two; 0: the host's own, 64 */
  mm_memory_kind kind;
  int32_t device_id;
  void* data; /* out */
} mm_allocate_args;

typedef struct mm_output_args {
  size_t struct_size;
  const char* name;
  mm_dtype dtype; /* any but MM_STRING */
  uint32_t rank;
  const int64_t* shape;
  mm_memory_kind kind; /* in: preferred; out: given */
  int32_t device_id;   /* in: preferred; out: given */
  void* data;          /* out: the output's final place, 64-byte aligned, to be filled before response_send */
} mm_output_args;

/* Releases memory that the backend lent. Called once, from any thread, maybe long after the request is done and even
 * after model_unload: `context` holds all it needs by itself and does not point to the model or its instances. */
typedef void (*mm_release_fn)(void* context);

typedef struct mm_adopt_output_args {
  size_t struct_size;
  const char* name;
  mm_dtype dtype; /* any but MM_STRING */
  uint32_t rank;
  const int64_t* shape;
  mm_chunk memory;       /* the backend's, holding exactly the output, unchanged until released */
  mm_release_fn release; /* called also when output_adopt fails */
  void* release_context;
} mm_adopt_output_args;

typedef struct mm_string_output_args {
  size_t struct_size;
  const char* name;
  uint32_t rank;
  const int64_t* shape;
  const uint64_t* offsets; /* elements + 1; string i is [offsets[i], offsets[i + 1]) of bytes */
  const void* bytes;       /* copied */
} mm_string_output_args;

typedef struct mm_forward_output_args {
  size_t struct_size;
  const char* name;
  uint32_t input_index; /* as for request_input */
  uint32_t rank;        /* the output's shape, of as many elements as the input has */
  const int64_t* shape;
} mm_forward_output_args;

typedef enum mm_parameter_kind {
  MM_PARAM_BOOL = 0,
  MM_PARAM_INT = 1,
  MM_PARAM_UINT = 2,
  MM_PARAM_DOUBLE = 3,
  MM_PARAM_STRING = 4
} mm_parameter_kind;

typedef struct mm_parameter {
  size_t struct_size;
  const char* name;
  mm_parameter_kind kind;
  union {
    int32_t as_bool;
    int64_t as_int;
    uint64_t as_uint;
    double as_double;
    const char* as_string;
  } value;
} mm_parameter;

#define MM_SEQUENCE_START (1u << 0)
#define MM_SEQUENCE_END (1u << 1)

/* What the host knows of a request. Pointers live until the request's final response. */
typedef struct mm_request_info {
  size_t struct_size;
  const char* id;      /* the client's, maybe "" */
  int64_t deadline_ns; /* CLOCK_MONOTONIC; INT64_MAX: none */
  uint64_t priority;   /* 0: the model's default; 1 is the highest */
  uint32_t input_count;
  uint32_t parameter_count;
  uint32_t requested_output_count; /* 0: all */
  uint64_t rows;                   /* size of the batch dimension; 1 for a model without one */
  uint64_t sequence_number;        /* 0: none, or sequence_text is set */
  const char* sequence_text;       /* NULL: none */
  uint32_t sequence_flags;
  const char*
      traceparent; /* the caller's place in its trace, as W3C's header of that name has it; NULL: it is in none */
  int64_t queue_timeout_ns; /* how long the client lets it wait to be run; 0: it did not say */
} mm_request_info;

#define MM_RESPONSE_FINAL (1u << 0)

typedef struct mm_execution_done_args {
  size_t struct_size;
  int64_t input_end_ns; /* when the runtime's inputs were ready; 0: not known */
  int64_t infer_end_ns; /* when the runtime had answered; 0: not known */
} mm_execution_done_args;

typedef struct mm_metric_args {
  size_t struct_size;
  mm_metric_kind kind;
  const char* name; /* Prometheus' rules; counters end in _total */
  const char* help;
  uint32_t label_count;
  const char* const* label_names; /* `model` and `version` are added by the host */
  const char* const* label_values;
  uint32_t bucket_count; /* histograms: inclusive upper bounds, ascending */
  const double* buckets;
} mm_metric_args;

/* Receives the answers of call_model; `outputs` live for the call only. `error` is NULL or belongs to the receiver. */
typedef void (*mm_call_result_fn)(void* context, mm_error* error, const mm_tensor* outputs, uint32_t output_count,
                                  int32_t final);

/* An answer of another model. All but `error` lives for the call only. */
typedef struct mm_call_answer {
  size_t struct_size;
  mm_error* error; /* NULL, or belongs to the receiver */
  const mm_tensor* outputs;
  uint32_t output_count; /* 0 with final: the end without a further answer, or an answer without outputs */
  const mm_parameter* parameters;
  uint32_t parameter_count;
  int64_t version; /* that answered; 0: none did */
  int32_t final;
} mm_call_answer;

typedef void (*mm_call_answer_fn)(void* context, const mm_call_answer* answer);

/* The caller takes one answer: a model that gives any number refuses it, with MM_UNIMPLEMENTED. */
#define MM_CALL_ONE_ANSWER (1u << 0)

typedef struct mm_call_model_args {
  size_t struct_size;
  const char* model;
  int64_t version;         /* 0: the default */
  const mm_tensor* inputs; /* copied before call_model returns, as all that is pointed to here */
  uint32_t input_count;
  mm_request* parent;          /* NULL, or the request on whose behalf: its deadline and cancellation are inherited.
                                * Another thread may answer it meanwhile, but its execution must not be done. */
  mm_call_result_fn on_result; /* from any thread, maybe before call_model returns */
  void* context;
  int64_t deadline_ns; /* without a parent: as mm_request_info.deadline_ns; 0: none */

  const char* id;                       /* NULL: the parent's */
  const char* const* requested_outputs; /* NULL: all */
  uint32_t requested_output_count;
  const mm_parameter* parameters;
  uint32_t parameter_count;
  uint64_t priority;           /* as mm_request_info.priority; 0: the parent's */
  int64_t queue_timeout_ns;    /* as in mm_request_info */
  uint64_t sequence_number;    /* 0: none, or sequence_text is set */
  const char* sequence_text;   /* NULL: none */
  uint32_t sequence_flags;     /* MM_SEQUENCE_* */
  const char* traceparent;     /* as in mm_request_info; NULL: the parent's; "": none */
  uint32_t flags;              /* MM_CALL_* */
  mm_call_answer_fn on_answer; /* called in the place of on_result, which may be NULL then */
  mm_call** call;              /* out, NULL: not wanted; for call_cancel, to be freed by call_free at any time */
} mm_call_model_args;

typedef enum mm_model_action {
  MM_MODEL_LOAD = 1,
  MM_MODEL_UNLOAD = 2,
  MM_MODEL_UNLOAD_WITH_MEMBERS = 3 /* and of an ensemble the models that are loaded for it alone */
} mm_model_action;

/* Called once, from any thread, maybe before change_model returns. `error` is NULL or belongs to the receiver. */
typedef void (*mm_model_changed_fn)(void* context, mm_error* error);

/* A file of a model to be loaded. Stands in arrays, so it never grows. */
typedef struct mm_model_file {
  size_t struct_size;
  const char* path; /* inside the model's folder: "1/model.onnx" */
  const void* data;
  uint64_t size;
} mm_model_file;

typedef struct mm_change_model_args {
  size_t struct_size;
  mm_model_action action;
  const char* model;
  const char* config_json;    /* to load: a configuration in the place of the model's own; NULL: none */
  const mm_model_file* files; /* to load: the model's folder, in the place of the repository's; needs config_json */
  uint32_t file_count;
  mm_model_changed_fn on_changed;
  void* context;
} mm_change_model_args;

typedef struct mm_host {
  size_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;

  /* Errors. `message` is copied. */
  mm_error* (*error_new)(mm_code code, const char* message);
  mm_code (*error_code)(const mm_error* error);
  const char* (*error_message)(const mm_error* error);
  void (*error_free)(mm_error* error);

  /* Memory. Kinds that the machine lacks are refused with MM_UNAVAILABLE. */
  mm_error* (*allocate)(mm_allocate_args* args);
  void (*release)(void* data, mm_memory_kind kind, int32_t device_id);

  /* The server's structured log. `model` may be NULL. */
  void (*log)(const mm_host_model* model, mm_log_level level, const char* message);
  int32_t (*log_enabled)(mm_log_level level);

  /* A backend's own metrics, shown at /metrics while the model is loaded. The handle belongs to the model and dies with
   * it. */
  mm_error* (*metric_new)(mm_host_model* model, const mm_metric_args* args, mm_metric** out);
  void (*metric_update)(mm_metric* metric, double value); /* counter: add; gauge: set; histogram: observe */

  /* Requests. Inputs come in the model's order, those that the client left out are absent. Tensors live until the
   * request's final response. */
  void (*request_info)(mm_request* request, mm_request_info* out);
  mm_error* (*request_input)(mm_request* request, uint32_t index, mm_tensor* out);
  mm_error* (*request_parameter)(mm_request* request, uint32_t index, mm_parameter* out);
  const char* (*request_requested_output)(mm_request* request, uint32_t index);
  /* Nonzero once the client has gone or the deadline has passed: the answer is no longer wanted. */
  int32_t (*request_cancelled)(mm_request* request);
  /* A span of the request's trace, with times the backend took. */
  void (*request_trace)(mm_request* request, const char* span, int64_t start_ns, int64_t end_ns);

  /* State of the request's sequence, by name. For a model without sequence batching both fail with
   * MM_FAILED_PRECONDITION. */
  mm_error* (*state_read)(mm_request* request, const char* name, mm_tensor* out);
  mm_error* (*state_write)(mm_request* request, const mm_tensor* value);

  /* Responses. Every request of an execution gets exactly one response_send with MM_RESPONSE_FINAL, or one
   * request_finish; models that are not decoupled send just that one. After it the request and its tensors are gone.
   * Outputs that the client did not ask for may be left out and are dropped. An output that does not fit model_info is
   * an error, and the response then fails whatever else is done to it. */
  mm_error* (*response_new)(mm_request* request, mm_response** out);
  mm_error* (*output_allocate)(mm_response* response, mm_output_args* args);
  mm_error* (*output_adopt)(mm_response* response, const mm_adopt_output_args* args);
  mm_error* (*output_strings)(mm_response* response, const mm_string_output_args* args);
  mm_error* (*response_parameter)(mm_response* response, const mm_parameter* parameter);
  /* Sends and frees the response. With `error` (which it takes over) the outputs are dropped and the request fails. Of
   * a decoupled request it blocks, if the response is not final, while the client has too much left to read; it returns
   * when the client reads on or has gone. */
  void (*response_send)(mm_response* response, mm_error* error, uint32_t flags);
  /* Ends a decoupled request without a further answer. */
  void (*request_finish)(mm_request* request);

  /* The instance is free again: called once for each execute that returned NULL, after its last request is done. */
  void (*execution_done)(mm_execution* execution, const mm_execution_done_args* args);

  /* Another model of this server. */
  mm_error* (*call_model)(mm_host_model* caller, const mm_call_model_args* args);

  /* Gives an input's bytes, of any type, as an output without copying them: the output shares the input's memory. */
  mm_error* (*output_forward)(mm_response* response, const mm_forward_output_args* args);

  /* Whether the model, once loaded, can be asked at the moment. While it can't, its readiness says so, and `reason`
   * why; requests still reach execute. It can until this says otherwise. */
  void (*model_available)(mm_host_model* model, int32_t available, const char* reason);

  /* Nobody wants the rest of the call's answers any more; a last one comes all the same. */
  void (*call_cancel)(mm_call* call);
  void (*call_free)(mm_call* call);

  /* Loads a model of this server, or takes one from its clients, when its operator has left that to clients (explicit
   * model control). Returns at once; what is pointed to is copied. The load is over, or has failed, when on_changed is
   * called: it may wait for other models of the same kind, so no thread of the backend's should wait for it that they
   * need. Refused where models would wait for each other, the caller among them. An error: on_changed is not called. */
  mm_error* (*change_model)(mm_host_model* caller, const mm_change_model_args* args);
  /* Whether a model (version 0: any that it is asked for by default) can be asked now. Not an error for one that there
   * is not. */
  mm_error* (*model_ready)(mm_host_model* caller, const char* model, int64_t version, int32_t* ready);

  /* For backends that run a model in processes of their own. One of them has crashed, or was ended because it broke a
   * limit; the model may be asked all the same. It is counted, and a rollout takes back a version of which it is said.
   */
  void (*model_failed)(mm_host_model* model, const char* reason);
  /* How much memory of its own the largest of them has now; 0: not known. To be told again when it changes. */
  void (*model_memory)(mm_host_model* model, uint64_t bytes);
} mm_host;

/* ---- the backend's functions ----------------------------------------------------------------------------------------
 */

typedef struct mm_initialize_args {
  size_t struct_size;
  const char* config_json; /* the operator's settings of this backend, a JSON object: {"library": "..."} */
  const char* library_dir; /* the folder that this shared library is in */
  mm_backend_state* state; /* out */
} mm_initialize_args;

/* What `modelmill doctor` shows. Text lives as long as the library. */
typedef struct mm_runtime_info {
  size_t struct_size;
  int32_t available;   /* 0: the vendor's runtime was not found or does not work; `problem` and `remedy` say why */
  const char* runtime; /* out: "ONNX Runtime"; "" for none beyond the backend itself */
  const char* version; /* out */
  const char* path;    /* out: the library in use */
  const char* devices; /* out: comma-separated: "CPU, CUDA" */
  const char* problem; /* out */
  const char* remedy;  /* out: "pip install onnxruntime" */
  int32_t gpu_count;   /* out: GPUs that instances can be put on, numbered from 0; -1 (given): those of the machine */
  const char*
      precisions; /* out: what mm_model_load_args.precision may be, comma-separated: "bf16,fp16"; NULL: nothing */
} mm_runtime_info;

typedef struct mm_model_load_args {
  size_t struct_size;
  mm_host_model* host_model; /* lives until model_unload has returned */
  const char* name;
  int64_t version;
  const char* directory;     /* the version's folder; "" when the model has none */
  const char* file;          /* the model's file; "" when the model has none */
  const char* config_json;   /* the model's configuration in Triton's field names; `parameters` are in it */
  uint32_t instance_threads; /* threads that one instance may use inside; 0: the backend decides */
  mm_model* model;           /* out */
  const char* precision;     /* what it is to be computed in, one of mm_runtime_info.precisions; MM_FAILED_PRECONDITION
                              * where the processor can't; NULL or "": as the model and its configuration say */
  uint32_t machine_gpus;     /* GPUs that the host knows of, numbered from 0 as CUDA does */
  int32_t placed;            /* 1: the configuration says on what kind of device its instances run; 0: where nothing
                              * else decides, the host puts them on the processor */
} mm_model_load_args;

typedef struct mm_model_info {
  size_t struct_size;
  const mm_tensor_spec* inputs; /* out, all: live until model_unload */
  uint32_t input_count;
  const mm_tensor_spec* outputs;
  uint32_t output_count;
  uint64_t capabilities;          /* MM_CAP_* */
  uint64_t memory_bytes;          /* what the model holds; 0: not known */
  uint32_t recommended_instances; /* 0: no opinion */
  const char* platform;           /* "onnxruntime_onnx", as Triton names it; "" if there is no such name */
  mm_batching batching;           /* a configuration's max_batch_size comes before it */
  int64_t max_batch_size;         /* with MM_BATCHING_ROWS */
  uint32_t concurrency;           /* executions at a time, with MM_CAP_CONCURRENT_EXECUTE; 0: one for each core */

  /* Of a model with several entry points, its signatures: the name of the one that this is; what TensorFlow calls its
   * method, "tensorflow/serving/predict"; and the names of the others, which model_signature opens. A request chooses
   * one by its parameter "signature_name". NULL and 0: its entry point has no name. */
  const char* signature;
  const char* signature_method;
  const char* const* other_signatures;
  uint32_t other_signature_count;
} mm_model_info;

typedef struct mm_signature_args {
  size_t struct_size;
  mm_model* model;
  const char* name;          /* one of its other_signatures */
  mm_host_model* host_model; /* lives until model_unload of what is opened has returned */
  mm_model* opened;          /* out */
} mm_signature_args;

typedef struct mm_instance_args {
  size_t struct_size;
  mm_model* model;
  const char* name; /* "ocr_0_1": model, group, index */
  mm_device_kind kind;
  int32_t device_id;
  mm_instance* instance; /* out */
} mm_instance_args;

/* A device's memory, in bytes, as the device itself tells it. */
typedef struct mm_device_memory {
  size_t struct_size;
  mm_device_kind kind; /* MM_DEVICE_GPU */
  int32_t device_id;
  uint64_t total_bytes; /* out; 0 (given): not known */
  uint64_t free_bytes;  /* out, of whoever took the rest; looked at only where the total is known */
  const char* uuid;     /* out: the name that the device's maker gives it, "GPU-0ba3..."; NULL (given): none. Lives as
                         * long as the library */
} mm_device_memory;

/* What a model, or one of its instances, holds of a device's memory. */
typedef struct mm_memory_use {
  size_t struct_size;
  mm_model* model;
  mm_instance* instance; /* one of that model's; NULL: what the model holds there beside its instances */
  mm_device_kind kind;   /* MM_DEVICE_GPU */
  int32_t device_id;
  uint64_t bytes; /* out; 0 (given): nothing */
  int32_t known;  /* out; 0 (given): the backend can't tell */
} mm_memory_use;

typedef struct mm_execute_args {
  size_t struct_size;
  mm_instance* instance;
  mm_execution* execution;
  mm_request* const* requests; /* at least one; the array lives for the call only */
  uint32_t request_count;
} mm_execute_args;

typedef struct mm_backend {
  size_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  const char* name; /* as in `backend:` of a configuration */
  const char* version;
  const char* default_file;    /* the usual file in a version's folder, "model.onnx"; "" if none is needed */
  const char* file_extensions; /* comma-separated, ".onnx": single files that this backend serves; "" for none */

  mm_error* (*initialize)(mm_initialize_args* args);                   /* once, before all others but runtime_info */
  void (*runtime_info)(mm_backend_state* state, mm_runtime_info* out); /* `state` is NULL when initialize failed */

  mm_error* (*model_load)(mm_backend_state* state, mm_model_load_args* args);
  mm_error* (*model_info)(mm_model* model, mm_model_info* out);
  void (*model_unload)(mm_model* model);

  mm_error* (*instance_create)(mm_instance_args* args);
  void (*instance_destroy)(mm_instance* instance);

  /* Runs the requests as one batch, now or later. NULL: each request will be answered (each its own success or error)
   * and then execution_done called, from any thread, maybe before execute returns. An error: nothing was begun; the
   * host fails every request with it, and execution_done must not be called. */
  mm_error* (*execute)(mm_execute_args* args);

  /* Another signature of a loaded model, as a model with inputs, outputs and instances of its own. What they share
   * stays until all are unloaded, in whatever order that happens. NULL: no model has other signatures. */
  mm_error* (*model_signature)(mm_signature_args* args);

  /* The memory of one of the GPUs that gpu_count counts. From any thread, also while models execute; cheap, for it is
   * asked for each reading of metrics. NULL: the backend can't tell. */
  mm_error* (*device_memory)(mm_backend_state* state, mm_device_memory* out);

  /* What a model, or an instance, holds of a device: asked when it was made, and once it was warmed up. NULL: the
   * backend can't tell, and what the model's configuration says counts. */
  mm_error* (*memory_use)(mm_memory_use* out);
} mm_backend;

/* The one exported symbol. Checks host->abi_major; NULL when the backend can't work with this host. The table and all
 * text in it live as long as the library. */
typedef const mm_backend* (*mm_backend_entry_fn)(const mm_host* host);
MM_EXPORT const mm_backend* mm_backend_entry(const mm_host* host);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MODELMILL_BACKEND_H_ */
