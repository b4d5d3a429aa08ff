#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::python::testing {

/// An output or an input of a test, its bytes as they are in memory. Strings have offsets.
struct Array {
  std::string name;
  mm_dtype dtype = MM_FP32;
  std::vector<int64_t> shape;
  std::string bytes;
  std::vector<uint64_t> offsets = {};

  template <typename T>
  static Array of(std::string name, mm_dtype dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
    return {std::move(name), dtype, std::move(shape),
            std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
  }
  static Array of_strings(std::string name, const std::vector<std::string>& values);
  template <typename T>
  std::vector<T> values() const {
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
  std::vector<std::string> strings() const;
};

struct Answer {
  mm_code code = MM_OK;
  std::string message;
  std::vector<Array> outputs;
  std::map<std::string, std::string> parameters;
};

/// A request as the host would have it, and what it was answered. What was lent to its answers is given back when it
/// is destroyed, or by give_back().
class FakeRequest {
 public:
  ~FakeRequest() { give_back(); }
  void give_back();

  std::vector<Array> inputs;
  std::vector<std::string> wanted = {};  // names of outputs; empty: all
  int64_t deadline_ns = INT64_MAX;
  uint64_t rows = 1;
  std::atomic<bool> cancelled{false};

  std::vector<Answer> answers = {};
  int finals = 0;

  struct Loan {
    mm_release_fn release;
    void* context;
  };
  std::vector<Loan> loans = {};
  std::vector<std::shared_ptr<void>> responses = {};  // of the host's, sent or not
};

/// Requests that go to a backend together. Outlives the Execution.
class FakeExecution {
 public:
  std::vector<std::unique_ptr<FakeRequest>> requests;
  int done = 0;

  FakeRequest& add(std::vector<Array> inputs);
  backend::Execution execution();

 private:
  std::vector<mm_request*> handles_;
};

/// The host's side of the ABI over the above: it looks at every byte that it is given, as a client would, and aborts
/// where a rule of the ABI is broken. Calls of models are answered at once with their own inputs and parameters; those
/// of the model "nobody" with NOT_FOUND. One thread at a time.
struct FakeHost {
  /// Makes it this program's host.
  static void install();
  /// What was logged, and the deadlines and parents of calls since install().
  static std::vector<std::string> logged;
  struct Call {
    std::string model;
    int64_t deadline_ns;
    const FakeRequest* parent;
    std::string id = {}, sequence = {}, traceparent = {};
    std::vector<std::string> outputs = {};
    std::map<std::string, backend::ParameterValue> parameters = {};
    uint64_t priority = 0;
    int64_t queue_timeout_ns = 0;
    uint32_t sequence_flags = 0, flags = 0;
  };
  static std::vector<Call> calls;
  /// Of models that were to be loaded or unloaded: "load NAME as CONFIGURATION with PATH=BYTES". That of "nobody" is
  /// refused at once, that of "bad" fails.
  static std::vector<std::string> changes;
  /// Ends the call of model "endless", whose first answer is not its last.
  static std::function<void()> endless;
  static int cancelled;  // calls
};

}  // namespace modelmill::python::testing
