#include "lifecycle/runtime_store.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <string_view>

#include "lifecycle/cost_store.h"

namespace modelmill {
namespace {

constexpr std::string_view kHeader = "modelmill runtimes 2";
constexpr size_t kMostCandidates = 256;
constexpr size_t kMostTimings = 64;
constexpr int kMostThreads = 1 << 16;
constexpr char kOwnPrecision[] = "own";

/// One line, whatever it holds.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// The rest of a line, after the blank.
std::string rest_of(std::istringstream& words) {
  std::string rest;
  words.get();
  std::getline(words, rest);
  return rest;
}

bool read_layout(std::istringstream& words, RuntimeLayout& layout) {
  if (!(words >> layout.backend >> layout.threads >> layout.instances >> layout.precision)) return false;
  if (layout.precision == kOwnPrecision) layout.precision.clear();
  return layout.threads >= 1 && layout.threads <= kMostThreads && layout.instances >= 1 &&
         layout.instances <= kMostThreads;
}

bool read_timing(std::istringstream& words, RuntimeTiming& timing) {
  return words >> timing.rows >> timing.rows_per_second >> timing.milliseconds && timing.rows >= 1 &&
         std::isfinite(timing.rows_per_second) && timing.rows_per_second > 0 && std::isfinite(timing.milliseconds) &&
         timing.milliseconds >= 0;
}

bool read_batching(std::istringstream& words, RuntimeKnowledge& known) {
  BatchingDecision decision;
  int64_t open = 0;
  if (!(words >> decision.rows >> open) || decision.rows < 1) return false;
  if (open > 0) decision.open_size = open;
  decision.why_not = rest_of(words);
  known.batching = std::move(decision);
  return true;
}

bool read_line(const std::string& line, RuntimeKnowledge& known) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  auto& candidates = known.report.candidates;
  if (word == "tolerance") return static_cast<bool>(words >> known.report.tolerance);
  if (word == "batching") return read_batching(words, known);
  if (word == "chosen") return read_layout(words, known.report.chosen);
  if (word == "reason") {
    known.report.reason = rest_of(words);
    return true;
  }
  if (word == "layout" && candidates.size() < kMostCandidates) {
    RuntimeCandidate candidate;
    if (!read_layout(words, candidate.layout) || !(words >> candidate.distance)) return false;
    candidate.runtime = rest_of(words);
    candidates.push_back(std::move(candidate));
    return true;
  }
  if (candidates.empty()) return false;
  if (word == "excluded") {
    candidates.back().excluded = rest_of(words);
    return true;
  }
  if (word == "seen") {
    candidates.back().seen = rest_of(words);
    return true;
  }
  if (word != "timing" || candidates.back().timings.size() >= kMostTimings) return false;
  return read_timing(words, candidates.back().timings.emplace_back());
}

std::string layout_words(const RuntimeLayout& layout) {
  return layout.backend + ' ' + std::to_string(layout.threads) + ' ' + std::to_string(layout.instances) + ' ' +
         (layout.precision.empty() ? kOwnPrecision : layout.precision);
}

bool makes_sense(const RuntimeReport& report) {
  const auto is_chosen = [&](const RuntimeCandidate& candidate) {
    return candidate.layout == report.chosen && candidate.excluded.empty() && !candidate.timings.empty();
  };
  return std::any_of(report.candidates.begin(), report.candidates.end(), is_chosen);
}

}  // namespace

std::string runtimes_text(const RuntimeKnowledge& known) {
  std::ostringstream text;
  text << std::setprecision(9) << kHeader << '\n';
  text << "tolerance " << known.report.tolerance << '\n';
  if (const auto& batching = known.batching)
    text << "batching " << batching->rows << ' ' << batching->open_size.value_or(0) << ' '
         << on_one_line(batching->why_not) << '\n';
  for (const RuntimeCandidate& candidate : known.report.candidates) {
    text << "layout " << layout_words(candidate.layout) << ' '
         << (std::isfinite(candidate.distance) ? candidate.distance : 1) << ' ' << on_one_line(candidate.runtime)
         << '\n';
    for (const RuntimeTiming& timing : candidate.timings)
      text << "timing " << timing.rows << ' ' << timing.rows_per_second << ' ' << timing.milliseconds << '\n';
    if (!candidate.excluded.empty()) text << "excluded " << on_one_line(candidate.excluded) << '\n';
    if (!candidate.seen.empty()) text << "seen " << on_one_line(candidate.seen) << '\n';
  }
  text << "chosen " << layout_words(known.report.chosen) << '\n';
  text << "reason " << on_one_line(known.report.reason) << "\nend\n";
  return text.str();
}

std::shared_ptr<const RuntimeKnowledge> parse_runtimes(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kHeader) return nullptr;
  auto known = std::make_shared<RuntimeKnowledge>();
  while (std::getline(lines, line)) {
    if (line == "end") return makes_sense(known->report) ? known : nullptr;
    if (!read_line(line, *known)) return nullptr;
  }
  return nullptr;  // cut off
}

std::shared_ptr<const RuntimeKnowledge> RuntimeStore::read(const std::string& key) const {
  const auto text = files_.read(key);
  return text ? parse_runtimes(*text) : nullptr;
}

Status RuntimeStore::write(const std::string& key, const RuntimeKnowledge& known) const {
  return files_.write(key, runtimes_text(known));
}

std::string runtime_key(const RuntimeOptions& options, const ModelDefinition& definition,
                        const LoadSettings& settings) {
  CostSubject subject;
  subject.files = {options.file};
  for (const std::string& backend : options.backends) subject.backend += backend + '\n';
  for (const std::string& runtime : options.runtimes) subject.runtime += runtime + '\n';
  for (const LessPreciseRuntime& lower : options.less_precise) {
    subject.backend += lower.backend + " in " + lower.precision + '\n';
    subject.runtime += lower.runtime + '\n';
    if (!lower.file.empty()) subject.files.push_back(lower.file);
  }
  subject.max_rows = definition.max_batch_size.value_or(-1);
  subject.instance_threads = definition.instance_threads > 0 ? definition.instance_threads : settings.instance_threads;
  std::ostringstream config;
  config << options.tolerance << ' ' << settings.instances << ' ' << settings.cores << ' '
         << (definition.instance_groups.empty() ? 0 : definition.instance_groups.front().count) << '\n';
  for (const auto& [name, value] : definition.parameters) config << name << '=' << value << '\n';
  subject.config = config.str();
  subject.gpus = settings.gpu_models;  // which of them a runtime would take is not known before it is tried
  return cost_key(subject);
}

}  // namespace modelmill
