#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "state/store.h"

namespace modelmill {

/// What was decided about a model while the server ran, and outlasts it.
struct ModelState {
  /// What the management API asked for last.
  enum class Asked { kNothing, kLoaded, kUnloaded };

  std::map<std::string, int64_t> labels;  // label -> version
  std::optional<int64_t> default_version;
  Asked asked = Asked::kNothing;
  /// The configuration that came with a load, as JSON; empty: none. Only with kLoaded.
  std::string config_override;

  bool operator==(const ModelState&) const = default;
};

/// Models' states in a store, under "models/NAME". A state in which nothing was decided takes no entry. Thread-safe, as
/// its store is.
class ModelStates {
 public:
  /// The store must outlive it.
  explicit ModelStates(StateStore& store) : store_(store) {}

  Result<ModelState> read(const std::string& model) const;
  /// By model; those of which something was decided.
  Result<std::map<std::string, ModelState>> read_all() const;

  /// Reads, changes and writes, again when another writer was faster: `change` may run several times, each time on what
  /// there is. An error of `change` ends it, and nothing is written. Returns what was written.
  Result<ModelState> update(const std::string& model, const std::function<Status(ModelState&)>& change) const;

 private:
  StateStore& store_;
};

/// Gives the states of models, opening what they are kept in; `make`: also where nothing has been kept there yet. Null:
/// nothing is kept. Thread-safe.
using OpenModelStates = std::function<Result<ModelStates*>(bool make)>;

/// The JSON document that is kept, with "format": 1, and its reading. FAILED_PRECONDITION for another format, or for a
/// field that this release doesn't know and would lose by writing.
std::string model_state_text(const ModelState& state);
Result<ModelState> parse_model_state(const std::string& text);

}  // namespace modelmill
