#include "shape_compiler.h"

#include <utility>

namespace modelmill::ov {

ShapeCompiler::~ShapeCompiler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const FixedModel> ShapeCompiler::order(std::vector<std::vector<int64_t>> shapes) {
  const std::lock_guard lock(mutex_);
  if (count_ >= most_) return nullptr;
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  ++count_;
  const auto forget = [this](FixedModel* model) {
    delete model;
    const std::lock_guard lock(mutex_);
    --count_;
  };
  const std::shared_ptr<FixedModel> ordered(new FixedModel{std::move(shapes), {}, {}, {}}, forget);
  queue_.push_back(ordered);
  changed_.notify_all();
  return ordered;
}

void ShapeCompiler::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::weak_ptr<FixedModel> next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    // Its instance may have gone meanwhile.
    if (const auto model = next.lock()) {
      try {
        make_(*model);
      } catch (...) {
        model->compiled.reset();
      }
      model->done.store(true, std::memory_order_release);
    }
    lock.lock();
  }
}

}  // namespace modelmill::ov
