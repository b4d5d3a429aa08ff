// What the plugin and its bridges know of each other. A bridge is a library of our own that is compiled against the
// headers of one minor release of torch; the plugin, which knows no torch, opens the one that fits. Both come from one
// build, so C++ may cross between them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::pytorch {

/// Counted up when something here changes; plugin and bridge must agree.
inline constexpr uint32_t kBridgeVersion = 2;

/// A parameter of a program's forward(), or an input of a package.
struct Argument {
  enum class Kind {
    kTensor,
    kTexts,       // List[str]
    kNumber,      // int, float or bool
    kDictionary,  // Dict[str, Tensor]
    kOther
  };
  std::string name;  // empty: it has none
  Kind kind = Kind::kTensor;
  std::string type;       // as the program says it, for messages
  bool optional = false;  // it has a default, or may be None
  mm_dtype dtype = MM_DTYPE_INVALID;
  /// What a traced program was traced with.
  bool has_example = false;
  std::vector<int64_t> example;
};

/// What a loaded file tells of itself.
struct Description {
  std::vector<Argument> arguments;
  bool keeps_state = false;  // an execution changes what the next one finds
  bool forks = false;        // parts of it run on other threads
  /// Of a package: the structure of what its function takes and returns, as JSON of torch's pytrees.
  std::string takes, returns;
};

/// A value for an argument. A view of memory that stays as it is during a run.
struct InputValue {
  mm_dtype dtype = MM_DTYPE_INVALID;  // INVALID: left out
  std::string_view key;               // for an element of a dictionary
  std::span<const int64_t> shape;
  const void* data = nullptr;
  std::vector<std::string_view> texts;  // MM_STRING
};

/// A value that came out of a run, row-major.
struct OutputValue {
  std::string key;  // in a dictionary or a named tuple; else empty
  mm_dtype dtype = MM_DTYPE_INVALID;
  std::vector<int64_t> shape;
  const void* data = nullptr;
  bool lendable = false;          // the memory is this value's alone, and no input's or weight's
  std::vector<uint64_t> offsets;  // strings: where each begins, and the end
  std::string bytes;
};

/// What a run gave; keeps the values' memory, also after the model has gone.
struct Outputs {
  virtual ~Outputs() = default;
  std::vector<OutputValue> values;
};

struct RunOptions {
  int threads = 1;  // inside one operator
  bool inference_mode = true;
  bool optimize = true;
  /// TorchScript's executor and whether it goes by what it sees, for all models of the process from then on.
  std::optional<bool> jit_executor, jit_profiling;
};

/// A loaded file. Runs on several threads at once; one that keeps state runs one execution after another.
class BridgeModel {
 public:
  virtual ~BridgeModel() = default;
  virtual const Description& description() const = 0;
  /// `inputs`: one for each argument; of a dictionary its elements. Throws Error.
  virtual std::unique_ptr<Outputs> run(std::span<const InputValue> inputs, const RunOptions& options) = 0;
};

/// Torch, as far as the plugin needs it. Thread-safe; lives as long as the process.
class Bridge {
 public:
  virtual ~Bridge() = default;
  /// "2.15.0", as the bridge was compiled for.
  virtual std::string version() const = 0;
  /// Threads of what forks inside programs, for the whole process. False when that is settled already otherwise.
  virtual bool set_fork_threads(int count) = 0;
  /// TorchScript. Throws Error.
  virtual std::unique_ptr<BridgeModel> load_script(const std::string& file) = 0;
  /// What AOTInductor compiled: native code, which is run. `runners` executions at a time; more wait. Throws Error.
  virtual std::unique_ptr<BridgeModel> load_package(const std::string& file, const std::string& model, int runners) = 0;
};

/// The one function that a bridge exports; null for another version than its own.
using BridgeEntry = Bridge* (*)(uint32_t version);
inline constexpr const char* kBridgeEntry = "modelmill_torch_bridge";

}  // namespace modelmill::pytorch
