#include "cli/personality/flag_value.h"
#include "cli/personality/tf_serving_draft.h"

namespace modelmill::personality {
namespace {

using Draft = TfServingDraft;

constexpr std::string_view kEventLoops = "event loops serve every port: one a core, at most 8";
constexpr std::string_view kNoTfLite = "TensorFlow Lite's models are not run";
constexpr std::string_view kSession =
    "a model's parameters say how its session runs, see [backends](backends.md#tensorflow)";
constexpr std::string_view kXla = "models are not compiled by XLA";

std::vector<TfServingFlag> serving_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"port", kInteger, kMapped, "`--listen`, a port for gRPC alone; 0: none", "8500"}, set_integer<&Draft::port>},
      {{"grpc_socket_path", kText, kMapped, "`--listen unix:PATH`, for gRPC alone", "grpc.sock"},
       set_text<&Draft::socket_path>},
      {{"rest_api_port", kInteger, kMapped, "`--listen`, a port for HTTP alone; 0: none", "8501"},
       set_integer<&Draft::rest_port>},
      {{"rest_api_num_threads", kInteger, kIgnored, kEventLoops, "4"}, check_integer<Draft>},
      {{"rest_api_timeout_in_ms", kInteger, kSame, "an inference that takes longer is answered 504; 0: no such limit",
        "30000"},
       set_integer<&Draft::rest_timeout_ms>},
      {{"rest_api_enable_cors_support", kBool, kMapped, "`--cors-origin *`", "true"}, set_bool<&Draft::cors>},
      {{"enable_batching", kBool, kMapped,
        "models are batched as they allow in any case; with it `--batching_parameters_file` may be given", "true"},
       set_bool<&Draft::batching>},
      {{"allow_version_labels_for_unavailable_models", kBool, kIgnored,
        "a label may be of a version that is yet to be loaded in any case", "true"},
       check_bool<Draft>},
      {{"batching_parameters_file", kText, kSame, "with `--enable_batching`", "batching.config"},
       set_text<&Draft::batching_file>},
      {{"enable_per_model_batching_parameters", kBool, kSame,
        "with `--enable_batching`; the `batching_params.pbtxt` of a model's newest version counts for all of them",
        "false"},
       set_bool<&Draft::own_batching>},
      {{"model_config_file", kText, kSame, "", "models.config"}, set_text<&Draft::config_file>},
      {{"model_config_file_poll_wait_seconds", kInteger, kIgnored,
        "the file is taken when it changes, as base paths are", "0"},
       check_integer<Draft>},
      {{"model_name", kText, kSame, "", "half"}, set_text<&Draft::model_name>},
      {{"model_base_path", kText, kMapped, "`NAME=PATH` of `modelmill serve`", "models/half"},
       set_text<&Draft::base_path>},
      {{"num_load_threads", kInteger, kMapped, "`--load-threads`, at least 1", "1"}, set_integer<&Draft::load_threads>},
      {{"num_unload_threads", kInteger, kIgnored, "what is unloaded holds nothing up", "1"}, check_integer<Draft>},
      {{"max_num_load_retries", kInteger, kMapped,
        "`--load-retries`, with 5 of them unless told otherwise; the start waits for them, as there", "5"},
       set_integer<&Draft::load_retries>},
      {{"load_retry_interval_micros", kInteger, kMapped,
        "`--load-retry-secs`, in microseconds; what is due is looked for four times a second", "60000000"},
       set_long<&Draft::retry_interval_us>},
      {{"file_system_poll_wait_seconds", kInteger, kMapped,
        "`--model-control-mode watch`, which takes new versions as they come; 0 or less: `explicit` with all models",
        "1"},
       set_integer<&Draft::poll_seconds>},
      {{"flush_filesystem_caches", kBool, kIgnored, "the system's cache of files is the system's", "true"},
       check_bool<Draft>},
  };
}

std::vector<TfServingFlag> runtime_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"tensorflow_session_parallelism", kInteger, kMapped, "`--instance-threads`", "1"},
       set_integer<&Draft::session_parallelism>},
      {{"tensorflow_session_config_file", kText, kIgnored, kSession, "session.config"}, check_text<Draft>},
      {{"tensorflow_intra_op_parallelism", kInteger, kMapped, "`--instance-threads`", "1"},
       set_integer<&Draft::intra_op_parallelism>},
      {{"tensorflow_inter_op_parallelism", kInteger, kMapped,
        "the parameter `TF_NUM_INTER_THREADS` of models, see [backends](backends.md#tensorflow)", "1"},
       set_integer<&Draft::inter_op_parallelism>},
      {{"use_alts_credentials", kBool, kSame, "true is refused: ALTS is not spoken, and nothing less would be safe",
        "false"},
       set_bool<&Draft::alts>},
      {{"ssl_config_file", kText, kSame, "for gRPC, as there", "ssl.config"}, set_text<&Draft::ssl_file>},
      {{"platform_config_file", kText, kIgnored, kSession, "platform.config"}, check_text<Draft>},
      {{"per_process_gpu_memory_fraction", kNumber, kIgnored, kSession, "0.0"}, check_number<Draft>},
      {{"saved_model_tags", kText, kMapped, "the parameter `TF_GRAPH_TAG` of models", "serve"}, set_text<&Draft::tags>},
      {{"grpc_channel_arguments", kText, kIgnored, "the transport has no arguments of gRPC's",
        "grpc.max_connection_age_ms=2000"},
       check_text<Draft>},
      {{"grpc_max_threads", kInteger, kIgnored, kEventLoops, "8"}, check_integer<Draft>},
      {{"enable_model_warmup", kBool, kIgnored, "models are warmed up in any case", "true"}, check_bool<Draft>},
      {{"num_request_iterations_for_warmup", kInteger, kIgnored, "each request of a warm-up is made once", "1"},
       check_integer<Draft>},
      {{"version", kBool, kSame, "prints modelmill's version", "false"}, set_bool<&Draft::version>},
      {{"monitoring_config_file", kText, kSame, "", "monitoring.config"}, set_text<&Draft::monitoring_file>},
      {{"remove_unused_fields_from_bundle_metagraph", kBool, kIgnored,
        "what is kept of a graph is up to the library of TensorFlow", "true"},
       check_bool<Draft>},
      {{"prefer_tflite_model", kBool, kIgnored, kNoTfLite, "false"}, check_bool<Draft>},
      {{"num_tflite_pools", kInteger, kIgnored, kNoTfLite, "1"}, check_integer<Draft>},
      {{"num_tflite_interpreters_per_pool", kInteger, kIgnored, kNoTfLite, "1"}, check_integer<Draft>},
      {{"enable_signature_method_name_check", kBool, kIgnored, "any method may be asked of a signature that fits it",
        "false"},
       check_bool<Draft>},
      {{"xla_cpu_compilation_enabled", kBool, kIgnored, kXla, "false"}, check_bool<Draft>},
      {{"xla_gpu_compilation_enabled", kBool, kIgnored, kXla, "false"}, check_bool<Draft>},
      {{"enable_profiler", kBool, kIgnored, "TensorFlow's profiler service is not served", "true"}, check_bool<Draft>},
      {{"thread_pool_factory_config_file", kText, kIgnored, kSession, "threads.config"}, check_text<Draft>},
      {{"mixed_precision", kText, kIgnored,
        "`modelmill serve --runtime-precisions` allows lower precisions, within a "
        "tolerance",
        "bfloat16"},
       check_text<Draft>},
      {{"skip_initialize_tpu", kBool, kIgnored, "there are no TPUs", "true"}, check_bool<Draft>},
      {{"enable_grpc_healthcheck_service", kBool, kIgnored, "`grpc.health.v1` is served in any case", "true"},
       check_bool<Draft>},
      {{"enable_serialization_as_tensor_content", kBool, kIgnored, "answers have typed values, which all clients read",
        "false"},
       check_bool<Draft>},
  };
}

}  // namespace

const std::vector<TfServingFlag>& tf_serving_flags() {
  static const std::vector<TfServingFlag> flags = [] {
    std::vector<TfServingFlag> all = serving_flags();
    const std::vector<TfServingFlag> more = runtime_flags();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return flags;
}

}  // namespace modelmill::personality
