#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/java_properties.h"
#include "repository/torchserve_models.h"

namespace modelmill {

/// The value of a variable of the environment; nothing: it is not set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;
Variables process_variables();

/// The values that count: "$$NAME$$" is a variable's, and where the file says `enable_envvars_config=true` those of
/// variables count more, as TS_JOB_QUEUE_SIZE for job_queue_size. `keys`: that there are. INVALID_ARGUMENT names a
/// variable that is not set.
Result<Properties> resolve_properties(Properties properties, std::span<const std::string_view> keys,
                                      const Variables& variables);

/// Which models a config.properties of TorchServe's has served at the start.
struct TorchserveStartup {
  std::vector<std::string> paths;  // PATH or NAME=PATH, or the same of a URL; none: no model
  std::string store;               // its model_store; empty: it has none
  std::string workflow_store;      // its workflow_store; without one the model_store
  TorchserveModels models;
};
/// Whether one of the paths is a URL, and that without its name.
bool is_url_entry(const std::string& entry);
std::string url_of_entry(const std::string& entry);
/// Whether a URL may be loaded: one of TorchServe's `allowed_urls` is all of it; without any (null) it may be any.
/// INVALID_ARGUMENT for what is no expression.
Result<bool> is_allowed_url(const std::string& url, const std::string* allowed_urls);
/// INVALID_ARGUMENT names the key that is wrong.
Result<TorchserveStartup> torchserve_startup(const Properties& properties);
/// Of a file, as it is now. The error names it.
Result<TorchserveStartup> read_torchserve_startup(const std::string& file, const Variables& variables);

/// Whether a path that models are named by is such a file: it is called *.properties, or *.cfg as its snapshots are.
/// Of a file that is kept in memory, which has a path below /proc/self/fd, the name counts that it was made with.
bool is_torchserve_properties(const std::string& path);

/// Java's Boolean.parseBoolean().
bool is_java_true(std::string_view value);
/// From 0 on, in digits alone.
std::optional<int64_t> digits_number(std::string_view value);
/// The parts of a list with commas, without blanks around them and without empty ones.
std::vector<std::string> comma_list(std::string_view value);

}  // namespace modelmill
