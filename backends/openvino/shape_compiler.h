#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "compiled.h"
#include "ports.h"

namespace modelmill::ov {

/// A model compiled for one shape of each input, or to be. What stands after `done` is constant once that is set.
struct FixedModel {
  std::vector<std::vector<int64_t>> shapes;
  std::atomic<bool> done{false};
  Compiled compiled;  // null: it can't be
  Ports ports;
};

/// Makes FixedModels of one model in the background, one after the other. Thread-safe. Its end waits for the one that
/// is being made; what was ordered must be gone by then.
class ShapeCompiler {
 public:
  /// `make` fills in a FixedModel but for `done`, and may throw. All of them together may take `most_bytes`, each about
  /// `bytes`.
  ShapeCompiler(std::function<void(FixedModel&)> make, uint64_t bytes, uint64_t most_bytes)
      : make_(std::move(make)), most_(most_bytes / bytes) {}
  ~ShapeCompiler();

  /// Null: there is no room for one more.
  std::shared_ptr<const FixedModel> order(std::vector<std::vector<int64_t>> shapes);

 private:
  void work();

  const std::function<void(FixedModel&)> make_;
  const uint64_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::weak_ptr<FixedModel>> queue_;  // guarded by mutex_, as is all below
  uint64_t count_ = 0;                           // that exist
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace modelmill::ov
