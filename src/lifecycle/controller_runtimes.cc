// Which of the runtimes that can run a version does.

#include <utility>

#include "base/log.h"
#include "lifecycle/controller_load.h"
#include "lifecycle/runtime_trial.h"

namespace modelmill {

/// In the layout that the job names, else in the one that was best before, else as its file and configuration say.
Result<LoadedVersion> ControllerCore::load_best(const Job& job, Loaded& out) {
  const ModelTarget& target = *job.target;
  const FoundVersion& place = target.places.at(job.version.version);
  const std::vector<ModelFormat> formats = formats_of(backends_);
  const auto load_from = [&](const BackendSource& backends, LaidOut laid) {
    laid.settings.make_room = [this](const std::string& model, int gpu, uint64_t bytes) {
      return make_room_on(model, gpu, bytes);
    };
    return load_version(
        target.found, place, std::move(laid.definition), formats, backends, laid.settings,
        {.abandoned = [&] { return is_abandoned(job); },
         .costs_before = [&](const auto&... entry) { return learned_before(job.model).find(entry...); }});
  };
  const auto load = [&](LaidOut laid) { return load_from(backends_, std::move(laid)); };
  if (job.layout) {
    out.runtimes = job.runtimes;
    const auto& known = job.runtimes->chooser.known();
    return load(lay_out(target.definition, settings_, job.runtimes->options, *job.layout,
                        known ? known->batching : std::nullopt));
  }
  MM_ASSIGN_OR_RETURN(RuntimeOptions options,
                      runtime_options(target.found, place, target.definition, formats, backends_, settings_));
  LaidOut plain{target.definition, settings_};
  if (!options.backends.empty()) plain.definition.backend = options.backends.front();
  if (options.pinned) lower_precision(plain.settings, *options.pinned);
  if (options.stand_in) {
    const StandIn& stand_in = *options.stand_in;
    if (!stand_in.problem.empty())
      Log::warning("another backend runs the model", {{"model", job.model},
                                                      {"backend", stand_in.own},
                                                      {"run_by", stand_in.backend},
                                                      {"reason", stand_in.problem}});
    auto loaded = load_from(with_stand_in(backends_, stand_in), std::move(plain));
    if (!loaded.ok()) return stand_in_failure(stand_in, loaded.status());
    const auto layout = layout_of(loaded->description.definition, settings_, loaded->instances.size());
    out.report = stand_in_report(stand_in, layout, options.tolerance);
    return loaded;
  }
  if (!options.choose) return load(std::move(plain));

  const std::string key = runtimes_.keeps() ? runtime_key(options, target.definition, settings_) : std::string();
  if (auto known = runtimes_.read(key)) {
    const RuntimeLayout& chosen = known->report.chosen;
    auto loaded = load(lay_out(target.definition, settings_, options, chosen, known->batching));
    if (loaded.ok()) {
      out.runtimes = std::make_shared<RuntimeRecord>(
          RuntimeRecord{std::move(options), key, RuntimeChooser(chosen, std::move(known)), false});
      return loaded;
    }
    Log::warning("the runtime that was best before doesn't load the model",
                 {{"model", job.model}, {"layout", layout_text(chosen)}, {"reason", loaded.status().message()}});
  }
  auto loaded = load(std::move(plain));
  if (loaded.ok())
    out.runtimes = std::make_shared<RuntimeRecord>(RuntimeRecord{
        std::move(options), key,
        RuntimeChooser(layout_of(loaded->description.definition, settings_, loaded->instances.size()), nullptr),
        false});
  return loaded;
}

/// A version that is about to serve: it shows what is known, or keeps requests to find it out with.
void ControllerCore::prepare_runtimes(const RuntimeRecord& runtimes, ModelVersion& version) {
  // Lower precisions are judged by what clients send.
  const size_t samples = runtimes.options.less_precise.empty() ? 4 : 8;
  if (const auto& known = runtimes.chooser.known())
    version.set_runtimes(std::make_shared<const RuntimeReport>(known->report));
  else
    version.samples().want(samples);
}

void ControllerCore::watch_runtimes(TimePoint now) {
  using Step = RuntimeChooser::Step;
  std::vector<std::pair<Job, Step>> due;
  std::vector<std::pair<std::shared_ptr<RuntimeRecord>, std::shared_ptr<const RuntimeKnowledge>>> judged;
  {
    const MutexLock lock(mutex_);
    for (auto& [name, model] : models_)
      for (auto& [number, version] : model.versions) {
        if (!version.runtimes || version.runtimes->busy || !version.serving || !version.loading.empty()) continue;
        if (!model.target || !model.target->places.contains(number)) continue;
        Step step = version.runtimes->chooser.observe(now, version.stats->view());
        if (step.kind == Step::Kind::kNothing) continue;
        if (step.kind == Step::Kind::kJudged) {
          const auto& known = version.runtimes->chooser.known();
          version.serving->share()->set_runtimes(std::make_shared<const RuntimeReport>(known->report));
          judged.emplace_back(version.runtimes, known);
          continue;
        }
        version.runtimes->busy = true;
        Job job{name, {number, version.stamp}, model.target, {}, version.runtimes};
        if (step.kind == Step::Kind::kSwap) job.layout = std::make_shared<const RuntimeLayout>(step.layout);
        due.emplace_back(std::move(job), std::move(step));
      }
  }
  for (const auto& [runtimes, known] : judged) keep_choice(*runtimes, *known);
  for (auto& [job, step] : due) {
    const auto runtimes = job.runtimes;
    const bool taken = trials_.run([this, job = job, reason = step.reason] {
      job.layout ? change_runtime(job, reason) : compare_runtimes_of(job);
    });
    if (taken) continue;
    const MutexLock lock(mutex_);
    runtimes->busy = false;
  }
}

/// The record of the version that the job is about, while that one serves; else null.
VersionRecord* ControllerCore::still_serving(const Job& job) {
  const auto model = models_.find(job.model);
  if (stopping_ || model == models_.end()) return nullptr;
  const auto version = model->second.versions.find(job.version.version);
  if (version == model->second.versions.end()) return nullptr;
  VersionRecord& record = version->second;
  const bool same = record.runtimes == job.runtimes && record.stamp == job.version.stamp;
  return same && record.serving && record.loading.empty() ? &record : nullptr;
}

void ControllerCore::compare_runtimes_of(const Job& job) {
  if (stopping_) return;
  const FoundVersion& place = job.target->places.at(job.version.version);
  std::shared_ptr<ModelVersion> version;
  {
    const MutexLock lock(mutex_);
    if (const VersionRecord* record = still_serving(job)) version = record->serving->share();
  }
  RuntimeSubject subject{job.target->found, place, job.target->definition, job.runtimes->options, {}};
  if (version) subject.samples = version->samples().take();
  version.reset();  // so that it can go meanwhile
  const TimePoint start = Clock::now();
  auto known = compare_runtimes(subject, formats_of(backends_), backends_, settings_, {}, stopping_);
  if (control_.after_unload) control_.after_unload();
  if (stopping_) return;
  std::shared_ptr<const RuntimeKnowledge> keep;
  {
    const MutexLock lock(mutex_);
    RuntimeChooser& chooser = job.runtimes->chooser;
    job.runtimes->busy = false;
    if (!known.ok()) {
      chooser.not_compared();
    } else {
      auto shown = std::make_shared<RuntimeKnowledge>(**known);
      shown->report = with_choice(std::move(shown->report), chooser.current(),
                                  "it runs until another one would bring more for the traffic that comes");
      chooser.compared(shown);
      keep = shown;
      if (VersionRecord* record = still_serving(job))
        record->serving->share()->set_runtimes(std::make_shared<const RuntimeReport>(shown->report));
    }
  }
  if (!keep) {
    Log::info("runtimes are not compared", {{"model", job.model}, {"reason", known.status().message()}});
    return;
  }
  Log::info("runtimes compared", {{"model", job.model},
                                  {"version", job.version.version},
                                  {"layouts", static_cast<int64_t>(keep->report.candidates.size())},
                                  {"ms", to_ns(Clock::now() - start) / 1'000'000}});
  keep_choice(*job.runtimes, *keep);
}

void ControllerCore::change_runtime(const Job& job, const std::string& reason) {
  if (stopping_) return;
  Loaded loaded = load_job(job);
  std::shared_ptr<const RuntimeKnowledge> keep;
  Aftermath after;
  Status status = loaded.status;
  {
    const MutexLock lock(mutex_);
    RuntimeChooser& chooser = job.runtimes->chooser;
    job.runtimes->busy = false;
    if (still_serving(job) != nullptr) {
      ModelRecord& model = models_.at(job.model);
      auto known = std::make_shared<RuntimeKnowledge>(*chooser.known());
      known->report = with_choice(std::move(known->report), *job.layout, reason);
      if (status.ok()) {
        chooser.show(known);
        status = accept(model, job, loaded, after);
      }
      if (status.ok()) {
        chooser.swapped(*job.layout);
        keep = known;
      } else {
        chooser.not_swapped(*job.layout, status.message());
      }
      put_entry(model);
      publish(after);
    }
  }
  finish_aftermath(std::move(after));
  if (loaded.version) OwnedVersion(std::move(loaded.version));
  if (keep) {
    Log::info("runtime changed", {{"model", job.model}, {"to", layout_text(*job.layout)}, {"reason", reason}});
    keep_choice(*job.runtimes, *keep);
  } else if (!status.ok()) {
    Log::warning("runtime not changed", {{"model", job.model}, {"reason", status.message()}});
  }
}

void ControllerCore::keep_choice(const RuntimeRecord& runtimes, const RuntimeKnowledge& known) {
  const Status status = runtimes_.write(runtimes.key, known);
  if (!status.ok()) Log::warning("what was learned of runtimes can't be kept", {{"reason", status.message()}});
}

}  // namespace modelmill
