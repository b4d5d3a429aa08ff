#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <type_traits>

#include "base/json_text.h"

namespace modelmill {
namespace {

constexpr uint32_t bit(LogLevel level) { return uint32_t{1} << static_cast<int>(level); }
/// Those of the levels from `level` on.
constexpr uint32_t from(LogLevel level) { return bit(LogLevel::kOff) - bit(level); }

std::atomic<uint32_t> g_levels{from(LogLevel::kInfo)};  // those that are written, a bit each
std::atomic<LogFormat> g_format{LogFormat::kText};
std::atomic<int> g_fd{2};

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: break;
  }
  return "off";
}

/// RFC 3339 in UTC with milliseconds.
void append_timestamp(std::string& out) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[40];
  const size_t n = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &tm);
  out.append(buffer, n);
  const int fraction = static_cast<int>(ms % 1000);
  out += '.';
  out += static_cast<char>('0' + fraction / 100);
  out += static_cast<char>('0' + fraction / 10 % 10);
  out += static_cast<char>('0' + fraction % 10);
  out += 'Z';
}

void append_value(std::string& out, const LogField& field, bool quote_all) {
  std::visit(
      [&](auto v) {
        using V = decltype(v);
        if constexpr (std::is_same_v<V, std::string_view>) {
          const bool plain = !quote_all && !v.empty() && v.find_first_of(" =\"\\\n\r\t") == std::string_view::npos;
          if (plain) {
            out += v;
          } else {
            append_json_string(out, v);
          }
        } else if constexpr (std::is_same_v<V, bool>) {
          out += v ? "true" : "false";
        } else {
          append_json_number(out, v);
        }
      },
      field.value);
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // a log that can't be written must not stop the server
    text.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void Log::configure(const Options& options) {
  g_levels = from(options.level);
  g_format = options.format;
  g_fd = options.fd;
}

bool Log::enabled(LogLevel level) { return (g_levels.load(std::memory_order_relaxed) & bit(level)) != 0; }

void Log::enable(LogLevel level, bool on) {
  if (on)
    g_levels.fetch_or(bit(level), std::memory_order_relaxed);
  else
    g_levels.fetch_and(~bit(level), std::memory_order_relaxed);
}

LogFormat Log::format() { return g_format.load(std::memory_order_relaxed); }

void Log::set_format(LogFormat format) { g_format.store(format, std::memory_order_relaxed); }

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  std::string line;
  line.reserve(160);
  if (g_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    line += "{\"time\":\"";
    append_timestamp(line);
    line += "\",\"level\":\"";
    line += level_name(level);
    line += "\",\"event\":";
    append_json_string(line, event);
    for (const LogField& field : fields) {
      line += ',';
      append_json_string(line, field.key);
      line += ':';
      append_value(line, field, true);
    }
    line += "}\n";
  } else {
    append_timestamp(line);
    line += ' ';
    line += level_name(level);
    line += ' ';
    line += event;
    for (const LogField& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      append_value(line, field, false);
    }
    line += '\n';
  }
  write_all(g_fd.load(std::memory_order_relaxed), line);
}

}  // namespace modelmill
