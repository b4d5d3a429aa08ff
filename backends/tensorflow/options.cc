#include "options.h"

#include <algorithm>
#include <cctype>

#include "support/thread_count.h"
#include "wire.h"

namespace modelmill::tensorflow {
namespace {

using backend::Error;
using backend::ModelConfig;
using backend::thread_count;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// As Triton reads it, in any case of letters.
bool flag(const ModelConfig& config, std::string_view name, bool fallback) {
  const auto given = config.parameter(name);
  if (!given) return fallback;
  const std::string text = lower(*given);
  for (const char* yes : {"true", "on", "1", "yes"})
    if (text == yes) return true;
  for (const char* no : {"false", "off", "0", "no"})
    if (text == no) return false;
  throw Error(MM_INVALID_ARGUMENT,
              "parameter '" + std::string(name) + "' is '" + *given + "'; it must be true, on, 1, false, off or 0");
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

void refuse_accelerators(const ModelConfig& config) {
  const backend::Json& accelerators = config.json()["optimization"]["execution_accelerators"];
  for (const char* kind : {"gpu_execution_accelerator", "cpu_execution_accelerator"})
    for (const backend::Json& item : accelerators[kind].items())
      throw Error(MM_UNIMPLEMENTED, "optimization.execution_accelerators names '" + item["name"].text() +
                                        "'; SavedModels are run by TensorFlow on the CPU: remove it");
}

}  // namespace

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

Options Options::read(const ModelConfig& config, uint32_t instance_threads, int cores) {
  Options out;
  out.signature = config.parameter("TF_SIGNATURE_DEF").value_or("serving_default");
  out.tags = split(config.parameter("TF_GRAPH_TAG").value_or("serve"));
  out.intra_op_threads = thread_count(config, "TF_NUM_INTRA_THREADS",
                                      instance_threads > 0 ? static_cast<int>(instance_threads) : 1, cores);
  out.inter_op_threads = thread_count(config, "TF_NUM_INTER_THREADS", -1, cores);
  out.own_pool = flag(config, "TF_USE_PER_SESSION_THREADS", true);
  refuse_accelerators(config);
  return out;
}

// Field numbers are those of config.proto.
std::string Options::config_proto() const {
  WireWriter no_gpu;
  no_gpu.bytes(1, "GPU").number(2, 0);
  WireWriter out;
  out.bytes(1, no_gpu.out());       // device_count
  out.number(2, intra_op_threads);  // intra_op_parallelism_threads
  out.number(5, inter_op_threads);  // inter_op_parallelism_threads
  out.number(7, 1);                 // allow_soft_placement: what was exported for a GPU runs as well
  if (inter_op_threads > 0 && own_pool) out.number(9, 1);  // use_per_session_threads
  return out.out();
}

}  // namespace modelmill::tensorflow
