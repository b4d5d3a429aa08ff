#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker.h"

namespace modelmill::python {

/// The workers of a model: a seat for each that there should be. One that ends is started again, at once or after a
/// while that grows with each failure. An execution goes to its seat's worker, or while that is away to another one.
/// Thread-safe; what it is asked to run is over before it is destroyed.
class Pool {
 public:
  explicit Pool(std::shared_ptr<const WorkerSettings> settings)
      : settings_(std::move(settings)), self_(std::make_shared<Self>()) {
    self_->pool = this;
  }
  ~Pool();

  /// Makes a seat with a worker that is ready; returns its number. Throws what kept the worker from it.
  size_t add(const std::string& device);
  /// Its worker ends when what it runs is over.
  void remove(size_t seat);

  /// What the model is, from the first worker that was ready.
  const ModelShape& shape() const { return *shape_; }

  /// Runs an execution to its end. Throws UNAVAILABLE when there is no worker; then it wasn't touched.
  void run(size_t seat, backend::Execution& execution);
  /// Begins one, on the worker that has the least to do. Throws as run().
  void begin(backend::Execution& execution);

 private:
  struct Seat {
    std::string device;
    std::shared_ptr<Worker> worker;  // null: it is to be started
    bool busy = false;
    bool removed = false;
    bool has_been_ready = false;
    unsigned failures = 0;  // one after another
    std::string end;        // of the worker before
  };

  /// What the keeper has of a pool that may be gone when a start is due.
  struct Self {
    std::mutex mutex;
    Pool* pool = nullptr;  // guarded by mutex
  };

  void start(Seat& seat);
  void changed(Worker& worker);
  void ready(Seat& seat);
  void gone(size_t index);
  void start_again(size_t seat);
  /// Runs it on the keeper's thread if this is still there.
  void post_later(std::function<void(Pool&)> task, std::chrono::steady_clock::duration delay);
  void let_leave(std::shared_ptr<Worker> worker);
  void forget_left();
  bool is_ready(const Seat& seat) const;
  size_t acquire(std::unique_lock<std::mutex>& lock, size_t preferred, bool shared);
  std::string why_away() const;
  /// Why the model's code says that it is not ready, in one worker that is; empty: none says so.
  std::string doubt() const;
  void tell_availability();
  /// And again, regularly.
  void tell_memory();

  const std::shared_ptr<const WorkerSettings> settings_;
  const std::shared_ptr<Self> self_;
  std::unique_ptr<const ModelShape> shape_;  // set once, before anything runs

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Seat> seats_;                       // never shrinks
  std::vector<std::shared_ptr<Worker>> leaving_;  // gone, with a thread that is about to end
  size_t living_ = 0;                             // workers that are not gone
  bool available_ = true;
  uint64_t told_memory_ = 0;
  bool closing_ = false;
};

}  // namespace modelmill::python
