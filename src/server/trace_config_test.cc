#include "server/trace_config.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(TraceConfig, ReadsTritonsForms) {
  TraceConfig config;
  EXPECT_EQ(config.settings, (TraceSettings{kTraceOff, 1000, -1, 0}));
  for (const char* text : {"rate=100", "level=TIMESTAMPS", "level=TENSORS", "count=5", "mode=triton",
                           "triton,file=/tmp/a=b.json", "triton,log-frequency=50"})
    EXPECT_TRUE(add_trace_setting(text, config).ok()) << text;
  EXPECT_EQ(config.settings, (TraceSettings{kTraceTimestamps | kTraceTensors, 100, 5, 50}));
  EXPECT_EQ(config.file, "/tmp/a=b.json");
  EXPECT_TRUE(check_trace_config(config).ok());
  EXPECT_TRUE(add_trace_setting("level=OFF", config).ok());
  EXPECT_EQ(config.settings.level, kTraceOff);
}

TEST(TraceConfig, RefusesOthers) {
  for (const char* text :
       {"", "rate", "rate=", "rate=0", "rate=x", "rate=1x", "count=-2", "level=ALL", "mode=opentelemetry", "file=x",
        "triton,log-frequency=-1", "triton,rate=1", "rate=4294967296"}) {
    TraceConfig config;
    EXPECT_EQ(add_trace_setting(text, config).code(), Code::kInvalidArgument) << text;
    EXPECT_EQ(config.settings, TraceSettings()) << text;
  }
  TraceConfig config;
  EXPECT_TRUE(add_trace_setting("level=TIMESTAMPS", config).ok());
  EXPECT_FALSE(check_trace_config(config).ok());
}

}  // namespace
}  // namespace modelmill
