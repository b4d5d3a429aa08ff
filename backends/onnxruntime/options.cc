#include "options.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "support/thread_count.h"

namespace modelmill::ort {
namespace {

using backend::Error;
using backend::Json;
using backend::ModelConfig;
using backend::thread_count;

constexpr std::string_view kSuffix = "ExecutionProvider";

GraphOptimizationLevel optimization_level(const ModelConfig& config) {
  if (const auto text = config.parameter("graph_optimization_level")) {
    constexpr std::array<std::pair<std::string_view, GraphOptimizationLevel>, 8> kLevels = {
        {{"disabled", ORT_DISABLE_ALL},
         {"basic", ORT_ENABLE_BASIC},
         {"extended", ORT_ENABLE_EXTENDED},
         {"all", ORT_ENABLE_ALL},
         {"0", ORT_DISABLE_ALL},
         {"1", ORT_ENABLE_BASIC},
         {"2", ORT_ENABLE_EXTENDED},
         {"99", ORT_ENABLE_ALL}}};
    for (const auto& [name, level] : kLevels)
      if (*text == name) return level;
    throw Error(MM_INVALID_ARGUMENT,
                "parameter 'graph_optimization_level' is '" + *text + "'; it must be disabled, basic, extended or all");
  }
  switch (config.json()["optimization"]["graph"]["level"].integer(0)) {
    case -1: return ORT_ENABLE_BASIC;
    case 1: return ORT_ENABLE_EXTENDED;
    case 2: return ORT_DISABLE_ALL;
    default: return ORT_ENABLE_ALL;
  }
}

/// "cuda", "CUDA" and "CUDAExecutionProvider" name the same.
std::string provider_name(std::string name) {
  if (name.ends_with(kSuffix)) return name;
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kKnown = {{{"cpu", "CPU"},
                                                                                    {"cuda", "CUDA"},
                                                                                    {"tensorrt", "Tensorrt"},
                                                                                    {"openvino", "OpenVINO"},
                                                                                    {"rocm", "ROCM"},
                                                                                    {"migraphx", "MIGraphX"},
                                                                                    {"xnnpack", "Xnnpack"},
                                                                                    {"dnnl", "Dnnl"}}};
  for (const auto& [key, proper] : kKnown)
    if (lower == key) name = proper;
  return name + std::string(kSuffix);
}

std::vector<Options::Provider> read_providers(const ModelConfig& config) {
  std::vector<Options::Provider> out;
  std::string name;
  for (char c : config.parameter("providers").value_or("") + ",") {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      name += c;
    } else if (!name.empty()) {
      out.push_back({provider_name(std::exchange(name, {})), {}});
    }
  }
  const Json& accelerators = config.json()["optimization"]["execution_accelerators"];
  for (const char* kind : {"gpu_execution_accelerator", "cpu_execution_accelerator"}) {
    for (const Json& item : accelerators[kind].items()) {
      Options::Provider& provider = out.emplace_back();
      provider.name = provider_name(item["name"].text());
      for (const auto& [key, value] : item["parameters"].members()) provider.settings.emplace_back(key, value.text());
    }
  }
  const std::string cpu = provider_name("cpu");
  out.erase(std::remove_if(out.begin(), out.end(), [&](const auto& p) { return p.name == cpu; }), out.end());
  return out;
}

void append_provider(OrtSessionOptions* options, const Options::Provider& provider) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : provider.settings) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  if (provider.name == "CUDAExecutionProvider") {
    OrtCUDAProviderOptionsV2* made = nullptr;
    check(api->CreateCUDAProviderOptions(&made));
    const Handle<OrtCUDAProviderOptionsV2> cuda(made);
    if (!keys.empty()) check(api->UpdateCUDAProviderOptions(made, keys.data(), values.data(), keys.size()));
    return check(api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, made));
  }
  if (provider.name == "TensorrtExecutionProvider") {
    OrtTensorRTProviderOptionsV2* made = nullptr;
    check(api->CreateTensorRTProviderOptions(&made));
    const Handle<OrtTensorRTProviderOptionsV2> tensorrt(made);
    if (!keys.empty()) check(api->UpdateTensorRTProviderOptions(made, keys.data(), values.data(), keys.size()));
    return check(api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, made));
  }
  std::string name = provider.name.substr(0, provider.name.size() - kSuffix.size());
  if (name == "Xnnpack") name = "XNNPACK";
  check(api->SessionOptionsAppendExecutionProvider(options, name.c_str(), keys.data(), values.data(), keys.size()));
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

Options Options::read(const ModelConfig& config, uint32_t instance_threads, int cores) {
  Options out;
  out.intra_op_threads = thread_count(config, "intra_op_thread_count",
                                      instance_threads > 0 ? static_cast<int>(instance_threads) : 1, cores);
  out.inter_op_threads = thread_count(config, "inter_op_thread_count", 0, cores);
  out.parallel = config.parameter_bool("execution_mode", false);
  out.level = optimization_level(config);
  out.mem_arena = config.parameter_bool("enable_mem_arena", true);
  out.mem_pattern = config.parameter_bool("enable_mem_pattern", true);
  out.arena_shrinkage = config.parameter("memory.enable_memory_arena_shrinkage").value_or("");
  out.optimized_model = config.parameter("optimized_model_filepath").value_or("");
  out.providers = read_providers(config);
  // Threads that wait by spinning take the cores from the other instances and from the server.
  out.entries.emplace_back("session.intra_op.allow_spinning", "0");
  out.entries.emplace_back("session.inter_op.allow_spinning", "0");
  for (auto& [key, value] : config.parameters())
    for (std::string_view prefix : {"session.", "optimization.", "mlas.", "ep."})
      if (key.starts_with(prefix)) out.entries.emplace_back(key, value);
  return out;
}

Handle<OrtSessionOptions> Options::session_options(const std::string& model,
                                                   const std::vector<std::string>& available) const {
  OrtSessionOptions* made = nullptr;
  check(api->CreateSessionOptions(&made));
  Handle<OrtSessionOptions> options(made);
  check(api->SetSessionLogId(made, model.c_str()));
  check(api->SetIntraOpNumThreads(made, intra_op_threads));
  if (inter_op_threads > 0) check(api->SetInterOpNumThreads(made, inter_op_threads));
  check(api->SetSessionExecutionMode(made, parallel ? ORT_PARALLEL : ORT_SEQUENTIAL));
  check(api->SetSessionGraphOptimizationLevel(made, level));
  check(mem_arena ? api->EnableCpuMemArena(made) : api->DisableCpuMemArena(made));
  check(mem_pattern ? api->EnableMemPattern(made) : api->DisableMemPattern(made));
  if (!optimized_model.empty()) check(api->SetOptimizedModelFilePath(made, optimized_model.c_str()));
  for (const auto& [key, value] : entries)
    check(api->AddSessionConfigEntry(made, key.c_str(), value.c_str()), "parameter '" + key + "'");
  for (const Provider& provider : providers) {
    if (std::find(available.begin(), available.end(), provider.name) == available.end())
      throw Error(MM_FAILED_PRECONDITION, "this ONNX Runtime library has no " + provider.name + "; it has " +
                                              joined(available) +
                                              " (another build of it may have more: onnxruntime-gpu has CUDA)");
    append_provider(made, provider);
  }
  return options;
}

Handle<OrtRunOptions> Options::run_options() const {
  OrtRunOptions* made = nullptr;
  check(api->CreateRunOptions(&made));
  Handle<OrtRunOptions> options(made);
  if (!arena_shrinkage.empty())
    check(api->AddRunConfigEntry(made, "memory.enable_memory_arena_shrinkage", arena_shrinkage.c_str()));
  return options;
}

}  // namespace modelmill::ort
