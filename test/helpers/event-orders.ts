// The runs of events that a turn is made of, in the order in which they stand in the log. docs:
// managed-agents/events-and-streaming; behaviour 6.4. Where the documentation leaves an order open,
// docs/differences.md names ours.

export const RUNNING = ['session.status_running', 'session.thread_status_running'];
export const SPAN = ['span.model_request_start', 'span.model_request_end'];
export const RESCHEDULED = ['session.thread_status_rescheduled', 'session.status_rescheduled'];
export const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];
