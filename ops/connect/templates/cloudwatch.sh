# In @REGION@: the alarm is told to the topic of its own region. Say your alarm's own metric instead.
aws cloudwatch put-metric-alarm --region @REGION@ --alarm-name incident-responder-test \
  --namespace IncidentResponder/Test --metric-name Test --statistic Maximum --period 60 --evaluation-periods 1 \
  --threshold 0 --comparison-operator GreaterThanThreshold --treat-missing-data notBreaching \
  --alarm-actions @TOPIC@ --ok-actions @TOPIC@ --insufficient-data-actions @TOPIC@
