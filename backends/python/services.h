#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "answers.h"
#include "call_details.h"
#include "executions.h"
#include "link.h"
#include "modelmill/backend.hpp"

namespace modelmill::python {

/// What a worker asks of the server: calls of other models, loading them, metrics of its own, lines of the log. take()
/// is the keeper's thread's; answers of other models come on any thread and keep it alive.
class Services : public std::enable_shared_from_this<Services> {
 public:
  /// `caller_of`: on whose behalf the execution of that number calls; of none where it is over.
  Services(std::shared_ptr<Link> control, mm_host_model* model, std::function<Caller(uint64_t)> caller_of)
      : control_(std::move(control)), model_(model), caller_of_(std::move(caller_of)) {}

  /// False: the frame is none of these. Throws ProtocolError.
  bool take(const Frame& frame);

 private:
  struct Pending;
  struct Named {
    std::vector<SharedTensor> tensors;
    std::vector<std::string> names;
  };
  Named read_named(FrameReader& body, uint16_t count) const;
  void let_go(uint32_t block_region, uint64_t block_offset) const;
  void call(uint64_t id, FrameReader body);
  void make_call(uint64_t id, const CallRecord& record, const std::string& model, const CallDetails& details,
                 const Named& named);
  void cancel(uint64_t call);
  void answer(uint64_t call, const mm_call_answer& given);
  void send_error(uint64_t call, mm_code code, const std::string& message, bool final);
  void new_metric(uint64_t id, FrameReader body);
  void update_metrics(FrameReader body);
  void log(FrameReader body) const;
  static void on_answer(void* context, const mm_call_answer* given);

  // In services_models.cc.
  struct Change;
  void models(uint64_t id, FrameReader body);
  void change_model(uint64_t id, const ModelsRecord& record, const std::string& model, std::string_view config,
                    const Named& files);
  void send_outcome(uint64_t id, mm_error* error, bool ready);

  const std::shared_ptr<Link> control_;
  mm_host_model* const model_;
  const std::function<Caller(uint64_t)> caller_of_;
  std::unordered_map<uint64_t, mm_metric*> metrics_;  // null: refused
  std::mutex mutex_;
  uint64_t next_kept_ = 1;                                  // guarded by mutex_
  std::map<uint64_t, std::shared_ptr<Arena::Block>> kept_;  // guarded by mutex_; answers that the worker looks at
  std::map<uint64_t, mm_call*> cancellable_;  // guarded by mutex_; without a last answer; null: being made
};

}  // namespace modelmill::python
