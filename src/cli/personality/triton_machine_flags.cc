#include "cli/personality/flag_value.h"
#include "cli/personality/triton_draft.h"

namespace modelmill::personality {
namespace {

Status add_backend_directory(TritonDraft& draft, const std::string& text) {
  draft.launch.config.backend_directories.push_back(text);
  return ok_status();
}

/// "BACKEND,SETTING=VALUE", or "SETTING=VALUE" of all backends, which ours have none of.
Status add_setting(TritonDraft& draft, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return invalid_argument("--backend-config option format is '<backend name>,<setting>=<value>'. Got " + text);
  if (text.find(',') < equals) return add_backend_setting(text, draft.launch.config.backend_settings);
  draft.launch.notices.push_back({"a setting of tritonserver's backends is ignored", "--backend-config=" + text,
                                  "only settings of one backend are taken, as BACKEND,SETTING=VALUE"});
  return ok_status();
}

/// "0:0.8": models may have four fifths of that GPU's memory.
Status set_gpu_limit(TritonDraft& draft, const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos)
    return invalid_argument("--model-load-gpu-limit option format is <device_id>:<fraction>. Got " + text);
  MM_ASSIGN_OR_RETURN(const int gpu, read_integer(text.substr(0, colon)));
  MM_ASSIGN_OR_RETURN(const double share, read_number(text.substr(colon + 1)));
  if (gpu < 0 || !(share > 0 && share <= 1))
    return invalid_argument("--model-load-gpu-limit=" + text +
                            " must name a GPU by its number and a fraction above 0 and up to 1, such as 0:0.8");
  draft.launch.config.control.device_budgets.shares[gpu] = share;
  return ok_status();
}

Status set_rate_limit(TritonDraft& draft, const std::string& text) {
  if (text != "execution_count" && text != "off") return invalid_argument("invalid argument for --rate-limit");
  draft.launch.config.resources.limited = text == "execution_count";
  return ok_status();
}

Status add_resource(TritonDraft& draft, const std::string& text) {
  auto resource = read_declared_resource(text);
  if (!resource.ok())
    return invalid_argument(
        "--rate-limit-resource option format is '<resource_name>:<count>:<device>' or '<resource_name>:<count>'. Got " +
        text);
  draft.launch.config.resources.declared.push_back(*std::move(resource));
  return ok_status();
}

/// "NAME,SETTING=VALUE". Of Triton's caches there is the local one, which has one setting.
Status set_cache(TritonDraft& draft, const std::string& text) {
  const size_t comma = text.find(',');
  const size_t equals = comma == std::string::npos ? comma : text.find('=', comma);
  if (equals == std::string::npos || comma == 0 || equals == comma + 1 || equals + 1 == text.size())
    return invalid_argument("--cache-config option format is '<cache name>,<setting>=<value>'. Got " + text);
  const std::string name = text.substr(0, comma), setting = text.substr(comma + 1, equals - comma - 1);
  draft.caches.insert(name);
  if (name != "local") {
    draft.launch.notices.push_back({"answers are not cached", "--cache-config=" + text,
                                    "of Triton's caches there is the one called local, as --cache-config=local,size="
                                    "BYTES"});
    return ok_status();
  }
  if (setting != "size")
    return invalid_argument("--cache-config=" + text + ": the local cache has no setting '" + setting +
                            "'; give its size in bytes, as --cache-config=local,size=1048576");
  const auto size = read_long(text.substr(equals + 1));
  if (!size.ok() || *size <= 0)
    return invalid_argument("--cache-config=" + text + ": the size must be a number of bytes above 0");
  draft.launch.config.response_cache.bytes = static_cast<uint64_t>(*size);
  return ok_status();
}

Status set_cache_size(TritonDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int64_t size, read_long(text));
  if (size < 0) return invalid_argument("the size of the cache must be a number of bytes from 0 on, not " + text);
  draft.old_cache_size = size;
  return ok_status();
}

constexpr std::string_view kNoPool = "memory is taken as it is needed, not set aside";

}  // namespace

std::vector<TritonFlag> triton_machine_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"backend-directory", kText, kMapped, "`--backend-directory`: with backends of modelmill's, not Triton's",
        "backends"},
       add_backend_directory},
      {{"backend-config", kText, kMapped, "`--backend-config`; settings of all backends at once are ignored",
        "onnxruntime,intra_op_threads=1"},
       add_setting},
      {{"repoagent-directory", kText, kIgnored, "there are no repository agents", "repoagents"},
       check_text<TritonDraft>},
      {{"cache-config", kText, kMapped,
        "`local,size=N`: `--response-cache-bytes N`, of models with `response_cache { enable: true }`, as there; "
        "another cache is ignored",
        "local,size=1048576"},
       set_cache},
      {{"cache-directory", kText, kIgnored, "the one cache is built in", "caches"}, check_text<TritonDraft>},
      {{"rate-limit", kText, kSame, "`execution_count`: [instances take resources](configuration.md#resources)", "off"},
       set_rate_limit},
      {{"rate-limit-resource", kText, kSame, "`NAME:COUNT` or `NAME:COUNT:DEVICE`; may be repeated", "R1:10"},
       add_resource},
      {{"pinned-memory-pool-byte-size", kInteger, kIgnored, kNoPool, "268435456"}, check_integer<TritonDraft>},
      {{"cuda-memory-pool-byte-size", kText, kIgnored, kNoPool, "0:67108864"}, check_text<TritonDraft>},
      {{"cuda-virtual-address-size", kText, kIgnored, "implicit states grow as they need", "0:1073741824"},
       check_text<TritonDraft>},
      {{"min-supported-compute-capability", kNumber, kIgnored, "a runtime refuses the GPUs that it can't use", "6.0"},
       check_number<TritonDraft>},
      {{"buffer-manager-thread-count", kInteger, kIgnored, "batches are gathered by the threads that run them", "0"},
       check_integer<TritonDraft>},
      {{"host-policy", kText, kIgnored, "threads and memory are where the system puts them; `numactl` binds them",
        "gpu_0,numa-node=0"},
       check_text<TritonDraft>},
      {{"model-load-gpu-limit", kText, kMapped,
        "what models may take together of that GPU's memory, as `--device-memory`; without it nine tenths. A model "
        "that "
        "doesn't fit is not loaded",
        "0:0.8"},
       set_gpu_limit},
      {{"allow-client-shm", kBool, kMapped, "true: `--allow-client-shm /`, which takes GPUs' memory too", "false"},
       set_bool<&TritonDraft::client_shared_memory>},
      {{"strict-model-config", kBool, kSame, "", "false"}, set_bool<&TritonDraft::strict_model_config>},
      {{"response-cache-byte-size", kInteger, kMapped, "`--response-cache-bytes`, as `--cache-config=local,size=N`",
        "1048576"},
       set_cache_size},
  };
}

}  // namespace modelmill::personality
