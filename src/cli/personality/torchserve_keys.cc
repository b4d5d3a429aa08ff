#include "cli/personality/torchserve_keys.h"

#include <algorithm>
#include <array>

namespace modelmill {
namespace {

using Key = TorchServeKey;
using enum TorchServeKey::Meaning;
constexpr auto kText = Key::Value::kText;
constexpr auto kNumber = Key::Value::kNumber;
constexpr auto kSwitch = Key::Value::kSwitch;

constexpr std::string_view kNoJvm = "there is no JVM";
constexpr std::string_view kMetricPages = "`/metrics` and `/torchserve/metrics` are there, and need no definitions";
constexpr std::string_view kLaunchers = "no launcher is put around workers; set its variables for the server";

constexpr std::string_view kAge =
    "`--max-connection-age` in seconds, rounded up, of every connection of HTTP/2;"
    " the smaller of both services', for ever if beyond a day";
constexpr std::string_view kAgeGrace =
    "`--max-connection-age-grace` in seconds, rounded up; the larger of both services', for ever if beyond a day";

constexpr std::array kKeys = {
    Key{"allowed_urls", kMapped, "`--allow-model-url`, for expressions that a fixed text begins; others are told of"},
    Key{"async_logging", kSame, "a log line never waits for its reader", kSwitch},
    Key{"blacklist_env_vars",
        kIgnored,
        "workers see the server's variables: start it without those",
        kText,
        {},
        {},
        true},
    Key{"certificate_file", kMapped, "`--tls-cert`, where an address begins with `https`"},
    Key{"cors_allowed_headers", kSame, "pages that may call may send every header"},
    Key{"cors_allowed_methods", kSame, "pages that may call may use every method"},
    Key{"cors_allowed_origin", kMapped, "`--cors-origin`", kText, "--cors-origin"},
    Key{"cpp_log_config", kIgnored, "there are no C++ workers of TorchServe's"},
    Key{"cpu_launcher_args", kIgnored, kLaunchers},
    Key{"cpu_launcher_enable", kIgnored, kLaunchers, kSwitch},
    Key{"debug", kMapped, "`--log-level debug`", kSwitch},
    Key{"decode_input_request", kMapped,
        "the parameter `decode_input_request` of archives; `false`: handlers get bytes", kSwitch},
    Key{"default_response_timeout", kMapped, "of archives that say nothing themselves: `execution_timeout_s`", kNumber},
    Key{"default_service_handler", kIgnored, "an archive without a handler is run by the runtime of its file"},
    Key{"default_startup_timeout", kMapped, "of archives that say nothing themselves: `start_timeout_s`", kNumber},
    Key{"default_workers_per_model", kMapped, "`--instances`", kNumber, "--instances"},
    Key{"disable_system_metrics", kIgnored, "they cost nothing until they are read", kSwitch},
    Key{"disable_token_authorization", kMapped, "`false`: `--torchserve-key-file key_file.json`", kSwitch, {}, "false"},
    Key{"enable_envvars_config", kMapped, "`true`: variables `TS_KEY` count more than the file", kSwitch},
    Key{"enable_grpc_ssl", kMapped, "`https` for the addresses of gRPC", kSwitch},
    Key{"enable_metrics_api", kMapped, "`false`: `--api metrics=off`", kSwitch},
    Key{"enable_model_api", kMapped, "`false`: `--model-control-mode none`", kSwitch, {}, "false"},
    Key{"grpc_inference_address", kMapped, "`--listen`, with `grpc_inference_port`", kText, {}, "127.0.0.1"},
    Key{"grpc_inference_max_connection_age_grace_ms", kMapped, kAgeGrace, kNumber},
    Key{"grpc_inference_max_connection_age_ms", kMapped, kAge, kNumber},
    Key{"grpc_inference_port", kMapped, "`--listen`, with `grpc_inference_address`", kNumber, {}, "7070"},
    Key{"grpc_management_address", kMapped, "`--listen`, with `grpc_management_port`", kText, {}, "127.0.0.1"},
    Key{"grpc_management_max_connection_age_grace_ms", kMapped, kAgeGrace, kNumber},
    Key{"grpc_management_max_connection_age_ms", kMapped, kAge, kNumber},
    Key{"grpc_management_port", kMapped, "`--listen`, with `grpc_management_address`", kNumber, {}, "7071"},
    Key{"inference_address", kMapped, "`--listen`", kText, {}, "http://127.0.0.1:8080"},
    Key{"initial_distribution_port", kIgnored, "workers have no ports", kNumber},
    Key{"initial_worker_port", kIgnored, "workers have no ports", kNumber},
    Key{"install_py_dep_per_model", kIgnored, "what an archive's requirements file asks for is installed, for it alone",
        kSwitch},
    Key{"io_ratio", kIgnored, kNoJvm, kNumber},
    Key{"ipex_enable", kIgnored, "handlers find the variables of the server's environment", kSwitch},
    Key{"ipex_gpu_enable", kIgnored, "handlers find the variables of the server's environment", kSwitch},
    Key{"job_queue_size", kMapped, "`--max-queue-size`", kNumber, "--max-queue-size"},
    Key{"keystore", kMapped,
        "`--tls-cert` and `--tls-key` with what it has at the start, where an address begins with `https`; it "
        "counts more than `certificate_file`"},
    Key{"keystore_pass", kMapped, "of `keystore`; without it `changeit`"},
    Key{"keystore_type", kMapped, "`PKCS12`; `keytool -importkeystore` makes one of a `JKS`"},
    Key{"limit_max_image_pixels", kIgnored, "the limit of PIL holds, as there by default", kSwitch},
    Key{"load_models", kMapped,
        "PATH is the file itself, which names them; where none is named, PATH is `model_store` with "
        "`--model-control-mode explicit`"},
    Key{"management_address", kMapped, "`--listen`", kText, {}, "http://127.0.0.1:8081"},
    Key{"max_request_size", kMapped, "`--max-body-bytes`, `--max-message-bytes`", kNumber},
    Key{"max_response_size", kIgnored, "answers have no bound but memory", kNumber},
    Key{"metric_time_interval", kIgnored, "metrics of the machine are as of the moment they are read", kNumber},
    Key{"metrics_address", kMapped, "`--listen`", kText, {}, "http://127.0.0.1:8082"},
    Key{"metrics_config", kIgnored, kMetricPages},
    Key{"metrics_mode", kIgnored, "they are as in its mode `prometheus`"},
    Key{"model_metrics_auto_detect", kIgnored, "what a handler counts is found by itself", kSwitch},
    Key{"model_server_home", kIgnored, "nothing is read from there"},
    Key{"model_snapshot", kMapped, "its archives in the place of `load_models`, and their settings as in `models`"},
    Key{"model_store", kMapped, "see `load_models`; clients may register what is in it"},
    Key{"models", kMapped, "as an archive's own `model-config.yaml`, and below that; `defaultVersion` too"},
    Key{"netty_client_threads", kIgnored, "workers need no threads in the server", kNumber},
    Key{"number_of_gpu", kIgnored, "set `CUDA_VISIBLE_DEVICES`; workers have those GPUs in turn", kNumber},
    Key{"number_of_netty_threads", kMapped, "`--io-threads`", kNumber, "--io-threads"},
    Key{"plugins_path", kIgnored, "there are no plugins in Java"},
    Key{"prefer_direct_buffer", kIgnored, kNoJvm, kSwitch},
    Key{"private_key_file", kMapped, "`--tls-key`, where an address begins with `https`"},
    Key{"service_envelope", kMapped, "the parameter `service_envelope` of archives"},
    Key{"system_metrics_cmd", kIgnored, "the server reads the machine's state itself"},
    Key{"token_expiration_min", kMapped, "`--torchserve-key-minutes`"},
    Key{"ts_header_key_sequence_end", kMapped, "`--torchserve-sequence-key`"},
    Key{"ts_header_key_sequence_id", kMapped, "`--torchserve-sequence-key`"},
    Key{"ts_header_key_sequence_start", kMapped, "`--torchserve-sequence-key`"},
    Key{"ts_open_inference_protocol", kSame, "it is always spoken", kSwitch},
    Key{"tsConfigFile", kIgnored, "snapshots note where they came from"},
    Key{"unregister_model_timeout", kIgnored, "requests in flight are answered before a model goes", kNumber},
    Key{"use_env_allowed_urls", kMapped, "`true`: `TS_ALLOWED_URLS` counts too", kSwitch},
    Key{"use_native_io", kIgnored, kNoJvm, kSwitch},
    Key{"version", kIgnored, "snapshots note what wrote them"},
    Key{"vmargs", kIgnored, kNoJvm},
    Key{"workflow_store", kMapped, "where clients register workflows from; without it `model_store`"},
};

}  // namespace

std::span<const TorchServeKey> torchserve_keys() { return kKeys; }

const TorchServeKey* find_torchserve_key(std::string_view name) {
  const auto found = std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& key) { return key.name == name; });
  return found == kKeys.end() ? nullptr : &*found;
}

std::string_view meaning_text(TorchServeKey::Meaning meaning) {
  switch (meaning) {
    case kSame: return "same";
    case kMapped: return "mapped";
    case kIgnored: break;
  }
  return "ignored";
}

}  // namespace modelmill
