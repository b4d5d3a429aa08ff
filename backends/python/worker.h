#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "executions.h"
#include "keeper.h"
#include "line_log.h"
#include "link.h"
#include "model_shape.h"
#include "modelmill/backend.hpp"
#include "process.h"
#include "services.h"

namespace modelmill::python {

/// What the workers of a model have in common. Immutable.
struct WorkerSettings {
  mm_host_model* host_model = nullptr;
  std::string model;  // its name
  ProcessArgs process;
  std::string hello;                             // members of kHello's JSON object, without braces
  uint64_t shared_memory = uint64_t{1} << 30;    // for each direction
  std::optional<uint64_t> memory_limit;          // bytes of its own; 0: any number; nullopt: as its code says
  std::chrono::milliseconds execution_limit{0};  // 0: none
  std::chrono::milliseconds start_limit{300'000};
  std::chrono::milliseconds stop_limit{10'000};
};

/// One process that runs a model's Python code, from its start to its end; it is not started again. The keeper's thread
/// starts it, watches it and takes its calls; run() and begin() are for those that have it from its pool.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  enum class State { kStarting, kReady, kGone };
  /// Called on the keeper's thread when it has become ready, when its doubt() has changed since, and once when it is
  /// gone: then nothing of it is left to be called.
  using Changed = std::function<void(Worker&)>;

  /// `instance` counts the workers of a model from 0.
  Worker(std::shared_ptr<const WorkerSettings> settings, std::string device, size_t instance, Changed changed)
      : settings_(std::move(settings)), device_(std::move(device)), instance_(instance), changed_(std::move(changed)) {}
  ~Worker();

  /// Starts it, soon. Any thread.
  void start();
  State state() const { return state_.load(std::memory_order_acquire); }
  /// Of one that is or was ready.
  const ModelShape& shape() const { return *shape_; }
  /// Why it is gone: "was killed by signal 9 (SIGKILL)"; or why it did not start.
  std::string end() const;
  /// That end was its code's own wish to fail, and the model's author's mistake.
  std::optional<backend::Error> failure() const;
  std::chrono::steady_clock::time_point started() const { return started_; }
  /// It is gone, and none of its threads has anything left to do.
  bool over() const { return state() == State::kGone && receiver_over_.load(std::memory_order_acquire); }
  /// Why the model's own code says that it is not ready; empty: it doesn't. Executions run all the same.
  std::string doubt() const;
  /// Memory of its own, when that was looked at last; of one that is ready.
  uint64_t memory() const { return memory_.load(std::memory_order_relaxed); }
  /// It has answered something.
  bool proved() const { return executions_ && executions_->answered(); }

  /// Runs an execution to its end, on this thread. One at a time.
  void run(backend::Execution execution);
  /// Begins one of several; they end on a thread of the worker's, those of a model of many answers on this one.
  void begin(backend::Execution execution);
  size_t running() const { return executions_ ? executions_->count() : 0; }

  /// Ends it: politely, and at once when it takes longer than it may. Any thread.
  void stop();

 private:
  void start_now();
  void on_control(uint32_t events);
  void on_frame(const Frame& frame);
  void on_readiness(std::string_view doubt);
  void on_output(LineLog& log, int fd);
  void on_exit();
  void become_ready(const backend::Json& json);
  void check();
  void measure(std::chrono::steady_clock::time_point now);
  uint64_t memory_limit() const { return settings_->memory_limit.value_or(shape_ ? shape_->memory_limit : 0); }
  void kill(const std::string& why);
  void ask_kill(const std::string& why);
  void set_why(const std::string& why);
  void flush();
  void serve_for_ever();
  void fail_rest();
  std::string label() const { return "the Python worker of model '" + settings_->model + "'"; }

  const std::shared_ptr<const WorkerSettings> settings_;
  const std::string device_;
  const size_t instance_;
  const Changed changed_;
  std::atomic<State> state_{State::kStarting};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> memory_{0};
  std::chrono::steady_clock::time_point started_{}, stop_by_{}, measured_{};

  Process process_;
  std::shared_ptr<Link> data_, control_;
  std::unique_ptr<ModelShape> shape_;
  std::unique_ptr<Executions> executions_;
  std::shared_ptr<Services> services_;
  std::optional<LineLog> out_, err_;
  bool data_watched_ = false;  // the keeper waits until the data socket takes more
  std::thread receiver_;       // of a worker of several executions at once
  std::atomic<bool> receiver_over_{true};

  mutable std::mutex mutex_;
  std::condition_variable reaped_;
  std::string why_, end_, doubt_;          // guarded by mutex_
  std::optional<backend::Error> failure_;  // guarded by mutex_
};

/// Bytes of the process's memory that it shares with no file; 0 when it can't be told.
uint64_t own_memory_of(pid_t pid);

}  // namespace modelmill::python
