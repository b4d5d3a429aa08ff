#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/process_health.h"
#include "base/mutex.h"
#include "catalog/explanation.h"
#include "catalog/input_samples.h"
#include "catalog/instance_plan.h"
#include "catalog/instances.h"
#include "catalog/runtime_report.h"
#include "catalog/version_stats.h"
#include "model/definition.h"
#include "model/signature.h"
#include "request/infer_request.h"
#include "runtime/gate.h"

namespace modelmill {

/// A loaded version of a model, as the request path sees it. Made by the control plane through a factory, run by the
/// data plane's scheduler, which implements submit(). Its description is immutable; submit() is thread-safe.
class ModelVersion {
 public:
  struct Description {
    ModelDefinition definition;
    Signature signature;
    int64_t version = 1;
    /// For outputs with a label file: class names by index.
    std::map<std::string, std::vector<std::string>> labels;
    /// The name of its entry point, and what TensorFlow calls that one's method; empty: it has no name.
    std::string signature_name, signature_method;
    /// It is asked by that name only: another entry point is the one of requests that name none.
    bool is_other_signature = false;
  };
  /// Versions by the names of their entry points.
  using Signatures = std::map<std::string, std::shared_ptr<ModelVersion>, std::less<>>;

  ModelVersion(Description description, std::shared_ptr<VersionStats> stats)
      : description_(std::move(description)), stats_(std::move(stats)) {}
  /// The gate is closed and empty by now, if anyone was ever inside: pins do not own.
  virtual ~ModelVersion() = default;

  const std::string& name() const { return description_.definition.name; }
  int64_t version() const { return description_.version; }
  const ModelDefinition& definition() const { return description_.definition; }
  const Signature& signature() const { return description_.signature; }
  const Description& description() const { return description_; }
  VersionStats& stats() { return *stats_; }
  const VersionStats& stats() const { return *stats_; }

  /// No other version of this process has had it.
  uint64_t serial() const { return serial_; }

  /// Whoever uses the version is inside; closed when it is being unloaded.
  Gate& gate() { return gate_; }

  /// Takes the request over and sees to it that it completes, on any thread, maybe before returning. The caller is
  /// inside the gate (see VersionPin) and has checked the inputs against the signature.
  virtual void submit(InferRequestPtr request) = 0;

  /// While it stays, what its answers depend on besides their requests is the same; nullopt: that can't be told, or is
  /// changing. Thread-safe; the caller is inside the gate.
  virtual std::optional<uint64_t> answers_epoch() const { return 0; }

  /// OK, or why what runs it can't be asked at the moment. Thread-safe.
  virtual Status availability() const { return ok_status(); }
  /// How the processes fare that run it; of an ensemble, those of its members. Thread-safe.
  virtual ProcessHealth process_health() const { return {}; }

  /// One of the version's requests was cancelled: those that wait and that nobody wants any more are to be answered
  /// now, not when their turn would come. Thread-safe; the caller is inside the gate.
  virtual void drop_unwanted() {}

  /// Makes or takes away instances until there are so many; 0 leaves requests waiting. Blocks while an instance is
  /// made, or what it runs is done; for the control plane, one call at a time. `text` is for people.
  /// FAILED_PRECONDITION where the number is fixed; another error when an instance can't be made.
  virtual Status set_instances(int count, ScalingReason reason, const std::string& text) {
    (void)count;
    (void)reason;
    return failed_precondition("the number of instances is fixed; nothing is done although " + text);
  }
  /// Takes all of its instances, and has what waits and what is asked of it refused with UNAVAILABLE until resume().
  /// Where their number is fixed they stay, answer what waits, and are asked nothing more. Blocks as set_instances()
  /// does; for the control plane. FAILED_PRECONDITION for what has no instances of its own.
  virtual Status suspend(const std::string& text) {
    return failed_precondition("model '" + name() + "' has no instances of its own; nothing is done although " + text);
  }
  /// It is asked again, by the instances that it was given since, or by as many as it had.
  virtual void resume() {}
  /// Thread-safe.
  virtual bool suspended() const { return false; }
  /// How many it may have.
  virtual InstanceLimits instance_limits() const { return {}; }
  /// What its instances had to do so far. Thread-safe.
  virtual InstanceLoad load() const { return {}; }

  /// Chooses its batches anew, and how many instances within `limits` it should have, so as to hold its latency
  /// objective and then to do most; nullopt where it has none that its batches go by. Asked at regular intervals by the
  /// control plane, one call at a time, which sees to the instances.
  virtual std::optional<InstanceChoice> choose_instances(const InstanceLimits& limits) {
    (void)limits;
    return std::nullopt;
  }

  /// How many times the rows a second one instance more would do, by what was measured of executions side by side;
  /// nullopt: that is not known. Measured from the first call on. Thread-safe.
  virtual std::optional<double> gain_of_another() { return std::nullopt; }

  /// What was learned of the cost of its executions. Thread-safe.
  virtual std::vector<LearnedCost> learned() const { return {}; }

  /// Why it runs as it does. Thread-safe.
  virtual Explanation explain() const { return {}; }

  /// The model's other entry points, each run by itself. They live as long as this version, whose pins and counters are
  /// theirs too.
  const Signatures& other_signatures() const { return other_signatures_; }
  /// Gives it one; before it is published.
  void add_signature(std::shared_ptr<ModelVersion> version) {
    count_by_name(*stats_);
    version->count_by_name(*stats_);
    other_signatures_[version->description().signature_name] = std::move(version);
  }
  /// The entry point of that name, itself or another; null: there is none.
  ModelVersion* entry(std::string_view name) {
    if (name == description_.signature_name) return this;
    const auto it = other_signatures_.find(name);
    return it == other_signatures_.end() ? nullptr : it->second.get();
  }
  const ModelVersion* entry(std::string_view name) const { return const_cast<ModelVersion*>(this)->entry(name); }

  /// A request for this entry point has come.
  void asked() {
    if (signature_stats_ != nullptr) signature_stats_->asked();
  }

  /// Requests that it got, while they are wanted.
  InputSamples& samples() { return samples_; }

  /// How the runtimes that can run it compare; null: nothing was compared. Thread-safe.
  std::shared_ptr<const RuntimeReport> runtimes() const {
    const MutexLock lock(runtimes_mutex_);
    return runtimes_;
  }
  void set_runtimes(std::shared_ptr<const RuntimeReport> report) {
    const MutexLock lock(runtimes_mutex_);
    runtimes_ = std::move(report);
  }

 protected:
  /// It has so many instances from now on.
  void instances_are(int count, ScalingReason reason = ScalingReason::kReload) {
    if (!description_.is_other_signature) stats_->instances_are(count, reason);
    if (signature_stats_ != nullptr) signature_stats_->instances_are(count);
  }

 private:
  void count_by_name(VersionStats& stats) {
    signature_stats_ = &stats.signature(description_.signature_name);
    signature_stats_->instances_are(load().instances);
  }

  static uint64_t next_serial() {
    static std::atomic<uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  const uint64_t serial_ = next_serial();
  Description description_;
  std::shared_ptr<VersionStats> stats_;
  Signatures other_signatures_;
  SignatureStats* signature_stats_ = nullptr;  // null: it is the only one
  InputSamples samples_;
  mutable Mutex runtimes_mutex_;
  std::shared_ptr<const RuntimeReport> runtimes_ MM_GUARDED_BY(runtimes_mutex_);
  Gate gate_;
};

/// Inside a version's gate for as long as it lives; so the version, whose owner waits for the gate to be empty before
/// it drops it, lives as long. Movable; empty when the version was closing.
class VersionPin {
 public:
  VersionPin() = default;
  /// `version` must live while this constructor runs (the caller has it from a table it holds).
  explicit VersionPin(ModelVersion& version) : version_(version.gate().enter() ? &version : nullptr) {}
  explicit VersionPin(const std::shared_ptr<ModelVersion>& version)
      : version_(version && version->gate().enter() ? version.get() : nullptr) {}
  VersionPin(VersionPin&& other) noexcept : version_(std::exchange(other.version_, nullptr)) {}
  VersionPin& operator=(VersionPin&& other) noexcept {
    std::swap(version_, other.version_);
    return *this;
  }
  ~VersionPin() {
    if (version_) version_->gate().leave();
  }
  explicit operator bool() const { return version_ != nullptr; }
  /// A pin of the same version, which may be on its way out: this one keeps it. Nothing of an empty pin.
  VersionPin again() const {
    VersionPin out;
    if (version_) version_->gate().enter_again();
    out.version_ = version_;
    return out;
  }
  ModelVersion* operator->() const { return version_; }
  ModelVersion& operator*() const { return *version_; }

  /// The request now pins the version, until its last answer is with its sink. Do this before submit():
  ///   ModelVersion& version = *pin;
  ///   std::move(pin).hand_to(*request);
  ///   version.submit(std::move(request));
  void hand_to(InferRequest& request) && {
    if (version_)
      request.hold(std::exchange(version_, nullptr), [](void* v) { static_cast<ModelVersion*>(v)->gate().leave(); });
  }

 private:
  ModelVersion* version_ = nullptr;
};

}  // namespace modelmill
