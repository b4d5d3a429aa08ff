#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"

namespace modelmill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// ---- status and result ----------------------------------------------------------------------------------------------

TEST(StatusTest, OkAndErrors) {
  EXPECT_TRUE(ok_status().ok());
  EXPECT_EQ(ok_status().to_string(), "OK");
  EXPECT_EQ(ok_status().message(), "");
  const Status status = not_found("model 'x'");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.to_string(), "NOT_FOUND: model 'x'");
  EXPECT_EQ(status, Status(Code::kNotFound, "model 'x'"));
  EXPECT_FALSE(status == not_found("model 'y'"));
  EXPECT_EQ(status.with_context("load").message(), "load: model 'x'");
  EXPECT_TRUE(ok_status().with_context("load").ok());
  EXPECT_TRUE(Status(Code::kOk, "ignored").ok());
}

TEST(StatusTest, EveryCodeHasGrpcsName) {
  EXPECT_STREQ(code_name(Code::kOk), "OK");
  EXPECT_STREQ(code_name(Code::kResourceExhausted), "RESOURCE_EXHAUSTED");
  EXPECT_STREQ(code_name(Code::kUnauthenticated), "UNAUTHENTICATED");
  for (int i = 0; i <= 16; ++i) EXPECT_TRUE(i == 2 || std::string(code_name(static_cast<Code>(i))) != "UNKNOWN") << i;
}

Result<int> half(int n) {
  if (n % 2 != 0) return invalid_argument("odd");
  return n / 2;
}
Result<int> quarter(int n) {
  MM_ASSIGN_OR_RETURN(const int h, half(n));
  return half(h);
}
Status check_even(int n) {
  MM_RETURN_IF_ERROR(half(n).status());
  return ok_status();
}

TEST(ResultTest, ValueOrStatus) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).status().message(), "odd");
  EXPECT_FALSE(quarter(5).ok());
  EXPECT_TRUE(check_even(4).ok());
  EXPECT_EQ(check_even(5).code(), Code::kInvalidArgument);
  Result<std::unique_ptr<int>> moved(std::make_unique<int>(7));
  EXPECT_EQ(*std::move(moved).value(), 7);
}

TEST(ResultDeathTest, NoValueIsABug) { EXPECT_DEATH((void)half(1).value(), "odd"); }

// ---- bytes
// ------------------------------------------------------------------------------------------------------------

TEST(BytesTest, OwnMemoryIsAligned) {
  for (const size_t size : {0u, 1u, 63u, 64u, 100'000u}) {
    const MemoryRef memory = Memory::allocate(size);
    EXPECT_EQ(memory->size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % kAlignment, 0u);
  }
}

TEST(BytesTest, SlicesShareTheirOwner) {
  Bytes slice;
  {
    const Bytes all = Bytes::copy_of("hello world");
    slice = all.slice(6, 5);
  }
  EXPECT_EQ(slice.view(), "world");
  EXPECT_TRUE(Bytes().empty());
  EXPECT_EQ(Bytes::unowned("literal").view(), "literal");
  EXPECT_EQ(Bytes(MemoryRef()).size(), 0u);
}

TEST(BytesTest, TakesStringsOverWithoutCopying) {
  std::string text(1'000, 'x');
  const char* at = text.data();
  const Bytes bytes = Bytes::from_string(std::move(text));
  EXPECT_EQ(static_cast<const void*>(bytes.data()), at);
  EXPECT_EQ(bytes.size(), 1'000u);
  EXPECT_EQ(Bytes::from_string("short").view(), "short");
}

TEST(BytesTest, ForeignMemoryIsReleasedOnceByTheLast) {
  int released = 0;
  char data[4] = {'a', 'b', 'c', 'd'};
  {
    MemoryRef one = Memory::adopt(
        data, 4, [](void* n) { ++*static_cast<int*>(n); }, &released);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([copy = one]() mutable {
        for (int i = 0; i < 1'000; ++i) copy = MemoryRef(copy);
      });
    for (auto& t : threads) t.join();
    MemoryRef& same = one;
    one = same;
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

// ---- time
// -------------------------------------------------------------------------------------------------------------

TEST(ClockTest, ManualTimeMovesWhenTold) {
  ManualTime time;
  const TimePoint before = time.now();
  EXPECT_EQ(time.now(), before);
  time.advance(std::chrono::milliseconds(3));
  EXPECT_EQ(to_ns(time.now() - before), 3'000'000);
  const TimePoint earlier = TimeSource::steady().now();
  EXPECT_LE(earlier, Clock::now());
}

// ---- mutex
// ------------------------------------------------------------------------------------------------------------

TEST(CondVarTest, WaitsAndTimesOut) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.notify_one();
  });
  {
    MutexLock lock(mutex);
    while (!ready) changed.wait(mutex);
    EXPECT_EQ(changed.wait_until(mutex, Clock::now()), std::cv_status::timeout);
    EXPECT_FALSE(mutex.try_lock()) << "the wait gave the lock back";
  }
  other.join();
}

// ---- JSON
// -------------------------------------------------------------------------------------------------------------

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
template <typename T>
std::string json_number(T value) {
  std::string out;
  append_json_number(out, value);
  return out;
}

TEST(JsonTextTest, Strings) {
  EXPECT_EQ(json_string("plain"), "\"plain\"");
  EXPECT_EQ(json_string("q\"b\\n\nt\tz\x01"), "\"q\\\"b\\\\n\\nt\\tz\\u0001\"");
  EXPECT_EQ(json_string("h\xc3\xa9 \xf0\x9f\x98\x80"), "\"h\xc3\xa9 \xf0\x9f\x98\x80\"");
}

TEST(JsonTextTest, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  const std::string_view bad[] = {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
  for (const std::string_view text : bad) {
    const std::string out = json_string(std::string("a") + std::string(text) + "b");
    EXPECT_THAT(out, ::testing::StartsWith("\"a"));
    EXPECT_THAT(out, EndsWith("b\""));
    EXPECT_TRUE(out.find("\xef\xbf\xbd") != std::string::npos || out.find("\\ufffd") != std::string::npos) << out;
  }
}

TEST(JsonTextTest, Numbers) {
  EXPECT_EQ(json_number(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(json_number(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(json_number(0.1f), "0.1") << "the shortest that reads back as the same float";
  EXPECT_EQ(std::stod(json_number(0.1)), 0.1);
  EXPECT_EQ(json_number(std::nan("")), "NaN");
  EXPECT_EQ(json_number(-HUGE_VAL), "-Infinity");
}

TEST(JsonTextTest, WriterKeepsTheCommas) {
  JsonWriter w;
  w.begin_object().field("a", 1).key("b").begin_array().value("x").value(true).null().end_array();
  w.key("c").begin_object().end_object().field("d", 0.5).key("e").raw("[1]").end_object();
  EXPECT_EQ(w.text(), R"({"a":1,"b":["x",true,null],"c":{},"d":0.5,"e":[1]})");
}

// ---- log
// --------------------------------------------------------------------------------------------------------------

/// What is logged while it lives, read from a pipe.
class CapturedLog {
 public:
  explicit CapturedLog(LogFormat format, LogLevel level = LogLevel::kInfo) {
    EXPECT_EQ(pipe(fds_), 0);
    Log::configure({level, format, fds_[1]});
  }
  ~CapturedLog() {
    Log::configure({});
    close(fds_[0]);
    close(fds_[1]);
  }
  std::string read_line() {
    char buffer[4'096];
    const ssize_t n = ::read(fds_[0], buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : "";
  }

 private:
  int fds_[2] = {};
};

TEST(LogTest, Text) {
  CapturedLog log(LogFormat::kText);
  Log::debug("not shown");
  Log::info("model loaded", {{"model", "ocr"}, {"why", "two words"}, {"n", 3}, {"ok", true}, {"empty", ""}});
  EXPECT_THAT(log.read_line(), EndsWith(" info model loaded model=ocr why=\"two words\" n=3 ok=true empty=\"\"\n"));
}

TEST(LogTest, Json) {
  CapturedLog log(LogFormat::kJson);
  Log::warning("odd \"thing\"", {{"x", 0.5}, {"text", "a\nb"}});
  const std::string line = log.read_line();
  EXPECT_THAT(line, ::testing::StartsWith("{\"time\":\""));
  EXPECT_THAT(line, EndsWith("\"level\":\"warning\",\"event\":\"odd \\\"thing\\\"\",\"x\":0.5,\"text\":\"a\\nb\"}\n"));
}

TEST(LogTest, Levels) {
  CapturedLog log(LogFormat::kText, LogLevel::kError);
  EXPECT_FALSE(Log::enabled(LogLevel::kWarning));
  EXPECT_TRUE(Log::enabled(LogLevel::kError));
  Log::warning("no");
  Log::error("yes");
  EXPECT_THAT(log.read_line(), HasSubstr("error yes\n"));
  Log::enable(LogLevel::kError, false);
  Log::enable(LogLevel::kInfo, true);
  Log::error("no");
  Log::warning("no");
  Log::set_format(LogFormat::kJson);
  Log::info("yes");
  EXPECT_THAT(log.read_line(), HasSubstr("\"level\":\"info\",\"event\":\"yes\"}\n"));
}

TEST(LogTest, Off) {
  CapturedLog log(LogFormat::kText, LogLevel::kOff);
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError})
    EXPECT_FALSE(Log::enabled(level));
}

}  // namespace
}  // namespace modelmill
