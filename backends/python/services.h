#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "answers.h"
#include "executions.h"
#include "link.h"
#include "modelmill/backend.hpp"

namespace modelmill::python {

/// What a worker asks of the server: calls of other models, metrics of its own, lines of the log. take() is the
/// keeper's thread's; answers of other models come on any thread and keep it alive.
class Services : public std::enable_shared_from_this<Services> {
 public:
  /// `caller_of`: on whose behalf the execution of that number calls; of none where it is over.
  Services(std::shared_ptr<Link> control, mm_host_model* model, std::function<Caller(uint64_t)> caller_of)
      : control_(std::move(control)), model_(model), caller_of_(std::move(caller_of)) {}

  /// False: the frame is none of these. Throws ProtocolError.
  bool take(const Frame& frame);

 private:
  struct Pending;
  void call(uint64_t id, FrameReader body);
  void answer(uint64_t call, mm_error* error, const mm_tensor* outputs, uint32_t count, bool final);
  void send_error(uint64_t call, mm_code code, const std::string& message, bool final);
  void new_metric(uint64_t id, FrameReader body);
  void update_metrics(FrameReader body);
  void log(FrameReader body) const;
  static void on_result(void* context, mm_error* error, const mm_tensor* outputs, uint32_t count, int32_t final);

  const std::shared_ptr<Link> control_;
  mm_host_model* const model_;
  const std::function<Caller(uint64_t)> caller_of_;
  std::unordered_map<uint64_t, mm_metric*> metrics_;  // null: refused
  std::mutex mutex_;
  uint64_t next_kept_ = 1;                                  // guarded by mutex_
  std::map<uint64_t, std::shared_ptr<Arena::Block>> kept_;  // guarded by mutex_; answers that the worker looks at
};

}  // namespace modelmill::python
