#include "cli/top/prometheus_text.h"

#include <cctype>
#include <cstdlib>

namespace modelmill {
namespace {

bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }

/// Takes a line apart from its beginning to its end.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  std::string name() {
    size_t size = 0;
    while (size < rest_.size() && in_name(rest_[size])) ++size;
    std::string found(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return found;
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_spaces() {
    while (take(' ') || take('\t')) {
    }
  }

  /// What stands between quotes, unescaped.
  bool quoted(std::string& into) {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        into += c;
      } else if (take('n')) {
        into += '\n';
      } else if (!rest_.empty()) {
        into += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    return false;
  }

  /// A number, and maybe the time at which it was taken.
  bool value(double& into) {
    const std::string text(rest_);
    char* end = nullptr;
    into = std::strtod(text.c_str(), &end);  // also of "NaN" and "+Inf"
    return end != text.c_str() && (*end == '\0' || *end == ' ');
  }

 private:
  std::string_view rest_;
};

bool read_labels(LineReader& reader, MetricSample& sample) {
  while (!reader.take('}')) {
    reader.skip_spaces();
    auto& [name, text] = sample.labels.emplace_back();
    name = reader.name();
    if (name.empty() || !reader.take('=') || !reader.quoted(text)) return false;
    reader.skip_spaces();
    reader.take(',');
    reader.skip_spaces();
  }
  return true;
}

bool read_sample(std::string_view line, MetricSample& sample) {
  LineReader reader(line);
  sample.name = reader.name();
  if (sample.name.empty()) return false;
  if (reader.take('{') && !read_labels(reader, sample)) return false;
  reader.skip_spaces();
  return reader.value(sample.value);
}

}  // namespace

std::string_view MetricSample::label(std::string_view label_name) const {
  for (const auto& [name, value] : labels) {
    if (name == label_name) return value;
  }
  return {};
}

Result<std::vector<MetricSample>> parse_prometheus_text(std::string_view page) {
  std::vector<MetricSample> samples;
  while (!page.empty()) {
    const size_t end = page.find('\n');
    std::string_view line = page.substr(0, end);
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    MetricSample sample;
    if (!read_sample(line, sample))
      return invalid_argument("'" + std::string(line.substr(0, 100)) + "' is no line of Prometheus' text format");
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace modelmill
