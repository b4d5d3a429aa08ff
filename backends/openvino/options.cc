#include "options.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "support/thread_count.h"

namespace modelmill::ov {
namespace {

using backend::Error;
using backend::ModelConfig;
using backend::thread_count;

/// Properties of OpenVINO that a model's parameters may set.
constexpr std::array<std::string_view, 13> kHandedOn = {"PERFORMANCE_HINT",
                                                        "PERFORMANCE_HINT_NUM_REQUESTS",
                                                        "NUM_STREAMS",
                                                        "COMPILATION_NUM_THREADS",
                                                        "EXECUTION_MODE_HINT",
                                                        "INFERENCE_PRECISION_HINT",
                                                        "ENABLE_CPU_PINNING",
                                                        "ENABLE_HYPER_THREADING",
                                                        "SCHEDULING_CORE_TYPE",
                                                        "MODEL_PRIORITY",
                                                        "AUTO_BATCH_TIMEOUT",
                                                        "CACHE_DIR",
                                                        "CACHE_MODE"};

/// Properties whose values are written in capitals, which Triton takes in any letters.
constexpr std::array<std::string_view, 2> kInCapitals = {"NUM_STREAMS", "PERFORMANCE_HINT"};

std::string in_capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

bool says_yes(const ModelConfig& config, std::string_view name, bool otherwise = false) {
  const std::string text = in_capitals(config.parameter(name).value_or(otherwise ? "YES" : "NO"));
  if (text == "YES" || text == "TRUE" || text == "1") return true;
  if (text == "NO" || text == "FALSE" || text == "0" || text.empty()) return false;
  throw Error(MM_INVALID_ARGUMENT, "parameter '" + std::string(name) + "' is '" + text + "'; it must be YES or NO");
}

/// Sets what the user has not set.
void set_default(Properties& properties, std::string_view key, std::string_view value) {
  const bool set = std::any_of(properties.begin(), properties.end(), [&](const auto& p) { return p.first == key; });
  if (!set) properties.emplace_back(key, value);
}

}  // namespace

Options Options::read(const ModelConfig& config, uint32_t instance_threads, int cores) {
  Options out;
  out.device = in_capitals(config.parameter("TARGET_DEVICE").value_or("CPU"));
  out.threads = thread_count(config, "INFERENCE_NUM_THREADS",
                             instance_threads > 0 ? static_cast<int>(instance_threads) : 1, cores);
  out.skip_batch = says_yes(config, "SKIP_OV_DYNAMIC_BATCHSIZE");
  out.pad_batches = says_yes(config, "ENABLE_BATCH_PADDING");
  out.extension = config.parameter("CPU_EXTENSION_PATH").value_or("");
  out.reshape = says_yes(config, "RESHAPE_IO_LAYERS");
  out.fixed_shapes = says_yes(config, "FIXED_SHAPES", true);
  for (std::string_view key : kHandedOn)
    if (const auto value = config.parameter(key)) {
      const bool capitals = std::find(kInCapitals.begin(), kInCapitals.end(), key) != kInCapitals.end();
      out.properties.emplace_back(key, capitals ? in_capitals(*value) : *value);
    }
  if (says_yes(config, "HINT_BF16")) set_default(out.properties, "INFERENCE_PRECISION_HINT", "bf16");
  if (auto folder = config.parameter("cache_dir")) set_default(out.properties, "CACHE_DIR", *folder);
  out.shared = !out.on_cpu() || config.parameter("NUM_STREAMS") || config.parameter("PERFORMANCE_HINT");
  // Left alone, processors that have bfloat16 or float16 would compute with it.
  if (out.device != "NPU") set_default(out.properties, "INFERENCE_PRECISION_HINT", "f32");
  // The threads that call are the server's: where they run is not OpenVINO's to say.
  if (out.on_cpu()) set_default(out.properties, "ENABLE_CPU_PINNING", "NO");
  if (out.shared && config.parameter("INFERENCE_NUM_THREADS"))
    out.properties.emplace_back("INFERENCE_NUM_THREADS", std::to_string(out.threads));
  return out;
}

}  // namespace modelmill::ov
