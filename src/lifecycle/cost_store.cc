#include "lifecycle/cost_store.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "lifecycle/key_digest.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr char kCostsHeader[] = "modelmill costs 1";
constexpr size_t kMostCurves = 64;
constexpr size_t kMostPoints = 64;
constexpr int64_t kHourNs = 3'600'000'000'000;

bool add_part(KeyDigest& digest, std::ifstream& file, uintmax_t size) {
  std::vector<char> buffer(size_t{1} << 18);
  while (size > 0) {
    const auto wanted = static_cast<std::streamsize>(std::min<uintmax_t>(size, buffer.size()));
    if (!file.read(buffer.data(), wanted)) return false;
    digest.add(buffer.data(), static_cast<size_t>(wanted));
    size -= static_cast<uintmax_t>(wanted);
  }
  return true;
}

bool add_file(KeyDigest& digest, const std::string& path) {
  constexpr uintmax_t kWhole = uintmax_t{1} << 30;
  constexpr uintmax_t kEnd = uintmax_t{64} << 20;
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return false;
  digest.add(&size, sizeof size);
  if (size <= kWhole) return add_part(digest, file, size);
  if (!add_part(digest, file, kEnd)) return false;
  file.seekg(-static_cast<std::streamoff>(kEnd), std::ios::end);
  return add_part(digest, file, kEnd);
}

std::string processor() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) return line;
  return "";
}

const char* kind_word(InstanceGroup::Kind kind) {
  switch (kind) {
    case InstanceGroup::Kind::kGpu: return "gpu";
    case InstanceGroup::Kind::kModel: return "model";
    default: return "cpu";
  }
}

/// A model that is a folder is what lies in it directly: of a SavedModel the graph.
std::vector<std::string> parts_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<std::string> parts;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    if (std::error_code ignored; it->is_regular_file(ignored)) parts.push_back(it->path().string());
  std::sort(parts.begin(), parts.end());
  return parts;
}

bool read_kind(const std::string& word, InstanceGroup::Kind& kind) {
  for (const auto k : {InstanceGroup::Kind::kCpu, InstanceGroup::Kind::kGpu, InstanceGroup::Kind::kModel})
    if (word == kind_word(k)) return kind = k, true;
  return false;
}

bool read_point(std::istringstream& line, CostPoint& point) {
  int64_t mean = 0, p99 = 0;
  if (!(line >> point.rows >> mean >> p99 >> point.executions)) return false;
  point.mean = std::chrono::nanoseconds(mean);
  point.p99 = std::chrono::nanoseconds(p99);
  return std::isfinite(point.rows) && point.rows >= 1 && point.rows <= 1e9 && mean > 0 && mean <= kHourNs && p99 >= 0 &&
         p99 <= kHourNs && point.executions > 0;
}

}  // namespace

std::string costs_text(std::span<const LearnedCost> costs) {
  std::ostringstream text;
  text << kCostsHeader << '\n';
  for (const LearnedCost& cost : costs) {
    text << "curve " << kind_word(cost.kind) << ' ' << cost.shape_class << ' ' << cost.shapes << '\n';
    for (const CostPoint& point : cost.points)
      text << "point " << point.rows << ' ' << to_ns(point.mean) << ' ' << to_ns(point.p99) << ' ' << point.executions
           << '\n';
  }
  text << "end\n";
  return text.str();
}

std::vector<LearnedCost> parse_costs(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kCostsHeader) return {};
  std::vector<LearnedCost> costs;
  while (std::getline(lines, line)) {
    if (line == "end") return costs;
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "curve" && costs.size() < kMostCurves) {
      LearnedCost cost;
      std::string kind;
      if (!(words >> kind >> cost.shape_class) || !read_kind(kind, cost.kind)) return {};
      words.get();
      std::getline(words, cost.shapes);
      costs.push_back(std::move(cost));
    } else if (word == "point" && !costs.empty() && costs.back().points.size() < kMostPoints) {
      CostPoint point;
      if (!read_point(words, point)) return {};
      costs.back().points.push_back(point);
    } else {
      return {};
    }
  }
  return {};  // cut off
}

std::vector<LearnedCost> CostStore::read(const std::string& key) const {
  const std::optional<std::string> text = files_.read(key);
  return text ? parse_costs(*text) : std::vector<LearnedCost>();
}

Status CostStore::write(const std::string& key, std::span<const LearnedCost> costs) const {
  return costs.empty() ? ok_status() : files_.write(key, costs_text(costs));
}

std::string cost_key(const CostSubject& subject) {
  KeyDigest digest;
  for (const std::string& file : subject.files)
    for (const std::string& part : parts_of(file))
      if (!add_file(digest, part)) return "";
  for (const std::string* text : {&subject.backend, &subject.runtime, &subject.config}) digest.add(*text);
  digest.add(processor());
  for (const std::string& gpu : subject.gpus) digest.add("gpu " + gpu);
  const int64_t numbers[] = {subject.max_rows, subject.instance_threads,
                             static_cast<int64_t>(std::thread::hardware_concurrency())};
  digest.add(numbers, sizeof numbers);
  return digest.hex();
}

}  // namespace modelmill
