#include "lifecycle/cost_store.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "base/private_file.h"
#include "lifecycle/digest.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr char kHeader[] = "modelmill costs 1";
constexpr char kSuffix[] = ".costs";
constexpr size_t kMostCurves = 64;
constexpr size_t kMostPoints = 64;
constexpr uint64_t kMostBytes = uint64_t{1} << 20;
constexpr int64_t kHourNs = 3'600'000'000'000;

bool add_part(Digest& digest, std::ifstream& file, uintmax_t size) {
  std::vector<char> buffer(size_t{1} << 18);
  while (size > 0) {
    const auto wanted = static_cast<std::streamsize>(std::min<uintmax_t>(size, buffer.size()));
    if (!file.read(buffer.data(), wanted)) return false;
    digest.add(buffer.data(), static_cast<size_t>(wanted));
    size -= static_cast<uintmax_t>(wanted);
  }
  return true;
}

bool add_file(Digest& digest, const std::string& path) {
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
  text << kHeader << '\n';
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
  if (!std::getline(lines, line) || line != kHeader) return {};
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

std::string CostStore::path_of(const std::string& key) const { return directory_ + '/' + key + kSuffix; }

std::vector<LearnedCost> CostStore::read(const std::string& key) const {
  if (!keeps() || key.empty()) return {};
  const Result<std::string> text = read_file(path_of(key), kMostBytes);
  return text.ok() ? parse_costs(*text) : std::vector<LearnedCost>();
}

Status CostStore::write(const std::string& key, std::span<const LearnedCost> costs) const {
  if (!keeps() || key.empty() || costs.empty()) return ok_status();
  MM_RETURN_IF_ERROR(make_private_folder(directory_));
  const std::string file = path_of(key);
  std::error_code error;
  const bool fresh = !fs::exists(file, error);
  // Written aside and renamed: no one reads half of it.
  const std::string draft = file + ".new";
  Status status = write_private_file(draft, costs_text(costs));
  if (status.ok() && ::rename(draft.c_str(), file.c_str()) != 0)
    status = unavailable("file '" + file + "' of the server's state cannot be made: " + std::strerror(errno));
  if (!status.ok()) {
    ::unlink(draft.c_str());
    return status;
  }
  if (fresh) forget_oldest();
  return ok_status();
}

void CostStore::forget_oldest() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != kSuffix) continue;
    std::error_code gone;
    const auto time = it->last_write_time(gone);
    if (!gone) files.emplace_back(time, it->path());
  }
  if (files.size() <= kMostFiles) return;
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size() - kMostFiles; ++i) fs::remove(files[i].second, error);
}

std::string cost_key(const CostSubject& subject) {
  Digest digest;
  for (const std::string& file : subject.files)
    if (!add_file(digest, file)) return "";
  for (const std::string* text : {&subject.backend, &subject.runtime, &subject.config}) digest.add(*text);
  digest.add(processor());
  const int64_t numbers[] = {subject.max_rows, subject.instance_threads,
                             static_cast<int64_t>(std::thread::hardware_concurrency())};
  digest.add(numbers, sizeof numbers);
  return digest.hex();
}

}  // namespace modelmill
