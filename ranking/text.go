package ranking

import (
	"strconv"
	"strings"
)

// This file holds every word that ranking can say, in English and Spanish: those of steps as DefaultPlaybook has them, where a
// company puts its own, and the sentences of reasons, which are made of codes and numbers.

// tongue picks Spanish for "es" and its regions ("es-MX"), English for all else.
func tongue(lang string) int {
	if sameTag(base(lang), "es") {
		return 1
	}
	return 0
}

// phrase is one text in each language.
type phrase [2]string

func (p phrase) texts() Texts {
	if p[0] == "" {
		return nil
	}
	return inBoth(p[0], p[1])
}

// wording is one content, without the greeting: what to write, what to say on the phone, and what to say face to face.
// An empty meet means that the words for the phone also suit someone who stands before you.
type wording struct {
	write phrase
	say   phrase
	meet  phrase
}

// ruleWords are the words of a rule.
type ruleWords struct {
	label, purpose, because, notice phrase
	contents                        []wording
}

// speak gives a playbook the words that it starts with.
func (pb *Playbook) speak() {
	for ch, p := range defaultVerbs {
		pb.Verbs[ch] = p.texts()
	}
	pb.Greeting = Greeting{
		Both:    inBoth("Hi {name}, it's {sender}.", "Hola, {name}, soy {sender}."),
		Name:    inBoth("Hi {name}!", "¡Hola, {name}!"),
		Sender:  inBoth("Hi, it's {sender}.", "Hola, soy {sender}."),
		Neither: inBoth("Hi!", "¡Hola!"),
	}
	for t := range pb.Rules {
		rule, w := &pb.Rules[t], &defaultWords[t]
		rule.Label, rule.Purpose, rule.Because = w.label.texts(), w.purpose.texts(), w.because.texts()
		if rule.Notice != nil {
			rule.Notice.Words = w.notice.texts()
		}
		for ct := range w.contents {
			c := &rule.Contents[ct]
			c.Write, c.Say, c.Meet = w.contents[ct].write.texts(), w.contents[ct].say.texts(), w.contents[ct].meet.texts()
		}
	}
}

// Wording returns the finished words for a step: a message for Text and Email, an opening sentence for Call and
// InPerson. name is the contact's first name, sender the promoter's (see FirstName); either may be empty. days is what
// {days} stands for, see Suggestion.Days. It is empty for a content that the trigger does not have.
func (pb *Playbook) Wording(t TriggerID, ch Channel, content uint16, lang, name, sender string, days int64) string {
	if t >= NumTriggers || ch >= NumChannels || int(content) >= len(pb.Rules[t].Contents) {
		return ""
	}
	c := &pb.Rules[t].Contents[content]
	b := blanks{name: oneLine(name), sender: oneLine(sender), days: days}
	greet, words := b, c.Say
	switch {
	case ch == Text || ch == Email:
		words = c.Write
	case ch == InPerson: // someone whom you meet needs not be told who you are
		greet.sender = ""
		if len(c.Meet) > 0 {
			words = c.Meet
		}
	}
	p := words.pick(lang)
	if p.Text == "" {
		return ""
	}
	b.lang = p.Lang
	if hello := greet.fill(pb.Greeting.of(&greet).In(p.Lang)); hello != "" {
		return hello + " " + b.fill(p.Text)
	}
	return b.fill(p.Text)
}

// of chooses the greeting by the names that are known.
func (g *Greeting) of(b *blanks) Texts {
	switch {
	case b.name != "" && b.sender != "":
		return g.Both
	case b.name != "":
		return g.Name
	case b.sender != "":
		return g.Sender
	}
	return g.Neither
}

// oneLine trims a name and makes its spaces single, so that it fits into a sentence. It takes away the full stop or
// comma at its end.
func oneLine(name string) string {
	return strings.TrimRight(strings.Join(strings.Fields(name), " "), ".,;: ")
}

// Step returns the step to take, as an imperative without a full stop: "Text Joanna about a refill". An empty name
// makes it "Text this contact about a refill".
func (pb *Playbook) Step(t TriggerID, ch Channel, lang, name string) string {
	if t >= NumTriggers || ch >= NumChannels {
		return ""
	}
	p := pb.Rules[t].Purpose.pick(lang)
	if p.Lang == "" {
		p.Lang = lang
	}
	verb := pb.Verbs[ch].pick(p.Lang)
	b := blanks{name: oneLine(name), days: -1}
	if b.name == "" {
		if b.name = pb.Unnamed.same(verb.Lang); b.name == "" {
			b.name = inStead(thisContact, verb.Lang)
		}
	}
	return strings.TrimSpace(b.fill(verb.Text) + " " + b.fill(p.Text))
}

// What stands for a name that is not known, in the languages that this file speaks.
var (
	thisContact = phrase{"this contact", "este contacto"}
	someContact = phrase{"A contact", "Un contacto"}
)

func inStead(p phrase, lang string) string {
	for i, l := range [...]string{"en", "es"} {
		if sameTag(base(lang), l) {
			return p[i]
		}
	}
	return ""
}

// The titles that FirstName drops, in lower case and without a full stop. Behind the second kind people put the family
// name: alone it would make no greeting.
const (
	titles       = " dr dra prof sr sra srta don doña dña lic ing "
	formalTitles = " mr mrs ms miss mister herr frau mme mlle monsieur madame "
)

// FirstName returns the name to greet someone by: the first word of a full name behind any titles, of "Ruiz, Ana" the
// word behind the comma. It is empty when there is none: for a number, an e-mail address, a title with no more than a
// family name ("Mrs. Ruiz").
func FirstName(full string) string {
	words := strings.Fields(full)
	if len(words) == 0 || words[0][0] == '+' || strings.Contains(full, "@") {
		return ""
	}
	if len(words) > 1 && strings.HasSuffix(words[0], ",") {
		words = words[1:]
	}
	formal := false
	for len(words) > 0 {
		word := " " + strings.TrimRight(strings.ToLower(words[0]), ".,") + " "
		if word == " don " && len(words) == 1 {
			break // Don is also a name
		}
		if strings.Contains(formalTitles, word) {
			formal = true
		} else if !strings.Contains(titles, word) {
			break
		}
		words = words[1:]
	}
	if len(words) == 0 || formal && len(words) == 1 {
		return ""
	}
	first := strings.Trim(words[0], ".,;:()\"'")
	if !strings.ContainsFunc(first, isLetter) || strings.ContainsAny(first, "0123456789{}") {
		return ""
	}
	return first
}

// isLetter takes everything beyond ASCII for a letter.
func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0x80 }

var defaultVerbs = [NumChannels]phrase{
	Call:     {"Call {name}", "Llama a {name}"},
	Text:     {"Text {name}", "Escribe a {name}"},
	Email:    {"E-mail {name}", "Envía un correo a {name}"},
	InPerson: {"See {name}", "Ve a ver a {name}"},
}

// defaultWords are the words of DefaultPlaybook.
var defaultWords = [NumTriggers]ruleWords{
	NewLead: {
		label:   phrase{"A new lead", "Un contacto nuevo"},
		purpose: phrase{"to say hello", "para saludar"},
		notice:  phrase{"{name} has just filled in your form: now is the best time to call", "{name} acaba de rellenar tu formulario: ahora es el mejor momento para llamar"},
		contents: []wording{
			{
				write: phrase{
					"Thanks for your interest! I'd love to hear what caught your eye. When is a good time for a quick call?",
					"¡Gracias por tu interés! Me encantaría saber qué te llamó la atención. ¿Cuándo te va bien una llamada corta?",
				},
				say: phrase{
					"Thanks for reaching out! What made you curious?",
					"¡Gracias por ponerte en contacto! ¿Qué te dio curiosidad?",
				},
			},
			{
				write: phrase{
					"I don't want to crowd you, so you choose: is text easier, or is there a good time to talk?",
					"No quiero molestarte, así que tú eliges: ¿prefieres por mensaje o hay un buen momento para hablar?",
				},
				say: phrase{
					"Did I catch you at a good moment? I just wanted to say hello and answer any questions.",
					"¿Te llamo en buen momento? Solo quería saludarte y resolver cualquier duda.",
				},
				meet: phrase{
					"Do you have a minute? I just wanted to say hello and answer any questions.",
					"¿Tienes un minuto? Solo quería saludarte y resolver cualquier duda.",
				},
			},
			{
				write: phrase{
					"No rush at all. Whenever you'd like to know more, just reply here and I'll be glad to help.",
					"Sin ninguna prisa. Cuando quieras saber más, contéstame por aquí y con gusto te ayudo.",
				},
				say: phrase{
					"I know days get full, so just one question: what would help you most right now?",
					"Sé que los días vuelan, así que solo una pregunta: ¿qué es lo que más te ayudaría ahora?",
				},
			},
			{
				write: phrase{
					"It was good to meet you! I'd love to stay in touch. When is a good time for a quick call?",
					"¡Me dio gusto conocerte! Me encantaría seguir en contacto. ¿Cuándo te va bien una llamada corta?",
				},
				say: phrase{
					"It was good to meet you! I'd love to hear a little more about you. Is this a good moment?",
					"¡Me dio gusto conocerte! Me encantaría saber un poco más de ti. ¿Es buen momento?",
				},
				meet: phrase{
					"It's good to see you again! I'd love to hear a little more about you. Do you have a minute?",
					"¡Qué gusto verte otra vez! Me encantaría saber un poco más de ti. ¿Tienes un minuto?",
				},
			},
		},
	},
	WebinarFollow: {
		label:   phrase{"Attended the webinar", "Asistió al webinar"},
		purpose: phrase{"about the webinar and offer an introduction", "por el webinar y ofrécele presentarle a alguien"},
		notice:  phrase{"{name} was at the webinar: a good moment to ask what stood out", "{name} estuvo en el webinar: es buen momento para preguntarle qué le gustó"},
		contents: []wording{
			{
				write: phrase{
					"So glad you made it to the overview! I'd love to introduce you to someone whose start was a lot like yours. Do you have a moment today?",
					"¡Qué bueno que viste la presentación! Me encantaría presentarte a alguien que empezó como tú. ¿Tienes un momento hoy?",
				},
				say: phrase{
					"Thanks for joining the overview! What did you like best? I'd love to introduce you to someone on our team. Do you have a moment today?",
					"¡Gracias por venir a la presentación! ¿Qué fue lo que más te gustó? Me encantaría presentarte a alguien del equipo. ¿Tienes un momento hoy?",
				},
			},
			{
				write: phrase{
					"The overview covers a lot in a short time. If any question stayed with you, I can bring in a friend who knows the answers. Would a few minutes today suit you?",
					"La presentación cuenta mucho en poco tiempo. Si te quedó alguna pregunta, te puedo presentar a alguien que conoce las respuestas. ¿Te van bien unos minutos hoy?",
				},
				say: phrase{
					"Which question stayed with you after the overview? I'd gladly introduce you to someone who can answer it. Is now a good moment?",
					"¿Qué pregunta te quedó de la presentación? Con gusto te presento a alguien que puede responderla. ¿Es buen momento?",
				},
			},
			{
				write: phrase{
					"I've been thinking about the overview you joined. Has a question come up since? I'd gladly introduce you to someone on our team, whenever it suits you.",
					"Me quedé pensando en la presentación que viste. ¿Te ha surgido alguna pregunta desde entonces? Con gusto te presento a alguien del equipo, cuando te venga bien.",
				},
				say: phrase{
					"You joined our overview a while ago. What has stayed with you? I'd gladly introduce you to someone on our team, whenever it suits you.",
					"Hace unos días viste nuestra presentación. ¿Con qué te quedaste? Con gusto te presento a alguien del equipo, cuando te venga bien.",
				},
			},
		},
	},
	WebinarAbsent: {
		label:   phrase{"Signed up for the webinar, was not there", "Se apuntó al webinar y no asistió"},
		purpose: phrase{"about another date for the webinar", "para ofrecerle otra fecha del webinar"},
		contents: []wording{
			{
				write: phrase{
					"Days get full, I know! Shall I send you the next date of the webinar, or the recording?",
					"¡Ya sé cómo son los días! ¿Te mando la próxima fecha del webinar o la grabación?",
				},
				say: phrase{
					"No worries about the webinar, it happens to all of us. Would the next date or the recording suit you better?",
					"No te preocupes por el webinar, a todos nos pasa. ¿Te viene mejor la próxima fecha o la grabación?",
				},
			},
			{
				write: phrase{
					"If the webinar isn't your thing, I can tell you the main points in five minutes. Which day works for you?",
					"Si el webinar no es lo tuyo, te cuento lo principal en cinco minutos. ¿Qué día te va bien?",
				},
				say: phrase{
					"I can give you the five-minute version of the webinar whenever you like. Would now work?",
					"Te puedo contar el webinar en cinco minutos cuando quieras. ¿Te va bien ahora?",
				},
			},
			{
				write: phrase{
					"There will be more dates for the webinar you signed up for, and the recording is an easy way to start. Which would you like me to send you?",
					"Habrá más fechas del webinar al que te apuntaste, y la grabación es una forma fácil de empezar. ¿Cuál de las dos te mando?",
				},
				say: phrase{
					"A while ago you signed up for our webinar. Are you still curious? I can send you the next date or the recording.",
					"Hace un tiempo te apuntaste a nuestro webinar. ¿Todavía te da curiosidad? Te puedo mandar la próxima fecha o la grabación.",
				},
			},
		},
	},
	NextStep: {
		label:   phrase{"Said “not yet”", "Dijo «todavía no»"},
		purpose: phrase{"with an easy next step", "para proponerle un paso sencillo"},
		contents: []wording{
			{
				write: phrase{
					"Thanks for being honest that it's not the moment. May I send you a short video, to watch whenever it suits you?",
					"Gracias por decirme con franqueza que no es el momento. ¿Te mando un video corto, para verlo cuando te venga bien?",
				},
				say: phrase{
					"No decision needed today. Could I send you a short video, so you can look at it in your own time?",
					"Hoy no hay nada que decidir. ¿Te mando un video corto, para que lo veas con calma?",
				},
			},
			{
				write: phrase{
					"There's an easy webinar this week where you can just listen. Shall I save you a seat? If not, that's fine too.",
					"Esta semana hay un webinar sencillo en el que solo hay que escuchar. ¿Te guardo un lugar? Si no, también está bien.",
				},
				say: phrase{
					"We have a webinar where you can listen in with your camera off. Would you like me to save you a seat?",
					"Tenemos un webinar en el que puedes escuchar con la cámara apagada. ¿Quieres que te guarde un lugar?",
				},
			},
			{
				write: phrase{
					"Thanks for coming to the webinar, and for being honest that it's not the moment. May I send you a short video about what people ask most?",
					"Gracias por venir al webinar y por decirme con franqueza que no es el momento. ¿Te mando un video corto sobre lo que más se pregunta?",
				},
				say: phrase{
					"No decision needed today. Which part of the webinar would you like to hear more about? I could send you a short video, to watch in your own time.",
					"Hoy no hay nada que decidir. ¿De qué parte del webinar te gustaría saber más? Te puedo mandar un video corto, para que lo veas con calma.",
				},
			},
			{
				write: phrase{
					"Someone on our team whose start was a lot like yours is glad to answer questions. Shall I introduce you? There's nothing to decide, and if not, that's fine too.",
					"Alguien del equipo que empezó como tú responde preguntas con gusto. ¿Te presento? No hay nada que decidir, y si no, también está bien.",
				},
				say: phrase{
					"Would it help to talk with someone on our team whose start was a lot like yours? There's nothing to decide.",
					"¿Te ayudaría hablar con alguien del equipo que empezó como tú? No hay nada que decidir.",
				},
			},
		},
	},
	Watched: {
		label:   phrase{"Looked at what was shared", "Vio lo que se compartió"},
		purpose: phrase{"about what caught their eye", "para saber qué le llamó la atención"},
		notice:  phrase{"{name} has just looked at what you shared: ask what stood out", "{name} acaba de ver lo que compartiste: pregúntale qué le llamó la atención"},
		contents: []wording{
			{
				write: phrase{
					"Thanks for taking a look! What stood out to you?",
					"¡Gracias por echarle un vistazo! ¿Qué te llamó la atención?",
				},
				say: phrase{
					"Thanks for taking a look! What did you like best?",
					"¡Gracias por echarle un vistazo! ¿Qué fue lo que más te gustó?",
				},
			},
			{
				write: phrase{
					"Did it raise any questions? I'm happy to answer them, big or small.",
					"¿Te surgió alguna duda? Con gusto te la resuelvo, grande o pequeña.",
				},
				say: phrase{
					"I wondered whether anything you saw raised a question. I'm happy to help.",
					"Pensé que quizá te surgió alguna duda con lo que viste. Con gusto te ayudo.",
				},
			},
			{
				write: phrase{
					"I found something else you may like, along the same lines. Shall I send it over?",
					"Encontré algo más que te puede gustar, en la misma línea. ¿Te lo mando?",
				},
				say: phrase{
					"I came across something along the same lines that made me think of you. May I tell you about it?",
					"Encontré algo en la misma línea que me hizo pensar en ti. ¿Te cuento?",
				},
			},
		},
	},
	PromisedFollow: {
		label:   phrase{"A promise to keep", "Una promesa por cumplir"},
		purpose: phrase{"as you promised", "como le prometiste"},
		contents: []wording{
			{
				write: phrase{
					"I'm getting back to you as promised. Is this a good moment?",
					"Te escribo como quedamos. ¿Es buen momento?",
				},
				say: phrase{
					"I'm calling back as promised. Is this a good moment?",
					"Te llamo como quedamos. ¿Es buen momento?",
				},
				meet: phrase{
					"Here I am, as promised. Is this a good moment?",
					"Aquí estoy, como quedamos. ¿Es buen momento?",
				},
			},
		},
	},
	Nurture: {
		label:   phrase{"A prospect gone quiet", "Un prospecto sin contacto reciente"},
		purpose: phrase{"just to say hello", "solo para saludar"},
		contents: []wording{
			{
				write: phrase{
					"You crossed my mind today. How have you been?",
					"Hoy me acordé de ti. ¿Cómo has estado?",
				},
				say: phrase{
					"You crossed my mind, so I thought I'd call. How have you been?",
					"Me acordé de ti y quise llamarte. ¿Cómo has estado?",
				},
				meet: phrase{
					"How good to see you! How have you been?",
					"¡Qué gusto verte! ¿Cómo has estado?",
				},
			},
			{
				write: phrase{
					"It's been a while! What's new with you?",
					"¡Cuánto tiempo! ¿Qué hay de nuevo?",
				},
				say: phrase{
					"It's been a while and I wanted to hear how you are.",
					"Hace tiempo que no hablamos y quería saber cómo estás.",
				},
				meet: phrase{
					"It's been a while since we talked! What's new with you?",
					"¡Cuánto tiempo sin hablar! ¿Qué hay de nuevo?",
				},
			},
			{
				write: phrase{
					"I read something today that made me think of you. Would you like me to share it?",
					"Hoy leí algo que me hizo pensar en ti. ¿Te lo comparto?",
				},
				say: phrase{
					"I read something that made me think of you. Do you have a minute?",
					"Leí algo que me hizo pensar en ti. ¿Tienes un minuto?",
				},
			},
			{
				write: phrase{
					"I've been meaning to get in touch with you. How are things with you?",
					"Tenía ganas de ponerme en contacto contigo. ¿Cómo va todo?",
				},
				say: phrase{
					"I've been meaning to get in touch, so I'm glad to reach you. How are things with you?",
					"Tenía ganas de ponerme en contacto, así que me alegra encontrarte. ¿Cómo va todo?",
				},
				meet: phrase{
					"I've been meaning to get in touch, so how nice to see you! How are things with you?",
					"Tenía ganas de ponerme en contacto, ¡qué gusto verte! ¿Cómo va todo?",
				},
			},
			{
				write: phrase{
					"I just wanted to say hello once more. How are things with you?",
					"Solo quería saludarte otra vez. ¿Cómo va todo?",
				},
				say: phrase{
					"I just wanted to say hello, so I'm glad to reach you. How are things with you?",
					"Solo quería saludarte, así que me alegra encontrarte. ¿Cómo va todo?",
				},
				meet: phrase{
					"How nice to see you! How are things with you?",
					"¡Qué gusto verte! ¿Cómo va todo?",
				},
			},
			{
				write: phrase{
					"No need to answer today, I only wanted to leave you a friendly hello. What keeps you busy these days?",
					"No hace falta que contestes hoy, solo quería dejarte un saludo. ¿Qué te ocupa estos días?",
				},
				say: phrase{
					"I won't take much of your time, I only wanted to say hello. What keeps you busy these days?",
					"No te quito mucho tiempo, solo quería saludarte. ¿Qué te ocupa estos días?",
				},
			},
		},
	},
	RefillDue: {
		label:   phrase{"A refill is due", "Toca un nuevo pedido"},
		purpose: phrase{"about a refill", "por un nuevo pedido"},
		contents: []wording{
			{
				write: phrase{
					"How is everything going with your last order? If you're running low, I'm happy to set up a refill.",
					"¿Cómo te va con tu último pedido? Si ya te queda poco, con gusto te preparo otro.",
				},
				say: phrase{
					"How are you enjoying your last order? Would a refill help?",
					"¿Qué tal te va con tu último pedido? ¿Te preparo otro?",
				},
			},
			{
				write: phrase{
					"I was wondering how you're liking your last order. Would you like a refill, or is there plenty left?",
					"Quería saber qué te va pareciendo tu último pedido. ¿Quieres que te lo reponga o todavía tienes?",
				},
				say: phrase{
					"How is your last order working out? Is it time for a refill, or do you have plenty left?",
					"¿Cómo te ha ido con tu último pedido? ¿Ya toca reponer o todavía tienes?",
				},
			},
		},
	},
	Lapsed: {
		label:   phrase{"A customer who has not come back", "Un cliente que no ha vuelto a pedir"},
		purpose: phrase{"to ask how things are going", "para saber cómo le va"},
		contents: []wording{
			{
				write: phrase{
					"Your last order was a while ago and I'd love to hear how you're doing. Is there anything I can help you with?",
					"Tu último pedido fue hace tiempo y me encantaría saber cómo estás. ¿Te puedo ayudar en algo?",
				},
				say: phrase{
					"Your last order was a while ago, so I wanted to hear how you are and how everything worked out for you.",
					"Tu último pedido fue hace tiempo y quería saber cómo estás y cómo te fue con todo.",
				},
				meet: phrase{
					"How good to see you! How are you, and how did everything work out for you?",
					"¡Qué gusto verte! ¿Cómo estás? ¿Cómo te fue con todo?",
				},
			},
			{
				write: phrase{
					"Honest question: was there something about your last order I could make better? I'd really like to know.",
					"Una pregunta sincera: ¿hay algo de tu último pedido que pueda mejorar? Me gustaría mucho saberlo.",
				},
				say: phrase{
					"I'd value your honest view: how did your last order work for you?",
					"Me importa tu opinión sincera: ¿cómo te funcionó tu último pedido?",
				},
			},
		},
	},
	FirstOrder: {
		label:   phrase{"The first order", "El primer pedido"},
		purpose: phrase{"to say thanks and lend a hand", "para dar las gracias y echar una mano"},
		contents: []wording{
			{
				write: phrase{
					"Thank you for your first order! Did everything arrive as it should? I'm here if you'd like a tip for getting started.",
					"¡Gracias por tu primer pedido! ¿Llegó todo bien? Aquí estoy si quieres algún consejo para empezar.",
				},
				say: phrase{
					"Thank you for your first order! Did it all arrive well, and can I help you get started?",
					"¡Gracias por tu primer pedido! ¿Llegó todo bien? ¿Te ayudo a empezar?",
				},
			},
			{
				write: phrase{
					"Is there anything you'd like to know to get started with your order? Any question is welcome.",
					"¿Hay algo que quieras saber para empezar con tu pedido? Cualquier pregunta es bienvenida.",
				},
				say: phrase{
					"I'd like to help you get started with your order. What would you like to know?",
					"Me gustaría ayudarte a empezar con tu pedido. ¿Qué te gustaría saber?",
				},
			},
		},
	},
	AskPromote: {
		label:   phrase{"A loyal customer who may like to share", "Un cliente fiel a quien le puede gustar compartir"},
		purpose: phrase{"about sharing what works", "para hablarle de compartir lo que le funciona"},
		contents: []wording{
			{
				write: phrase{
					"You know our products so well by now. Have you ever thought of sharing them with friends? I'd be glad to tell you how it works, no strings attached.",
					"Ya conoces muy bien nuestros productos. ¿Has pensado en compartirlos con tus amigos? Con gusto te cuento cómo funciona, sin compromiso.",
				},
				say: phrase{
					"I love how well you know our products. Would you be curious to hear how sharing them works?",
					"Me encanta lo bien que conoces nuestros productos. ¿Te gustaría saber cómo funciona compartirlos?",
				},
			},
			{
				write: phrase{
					"Friends probably ask you what you use. If you ever feel like telling them with us, I can show you how in ten minutes. And if not, I'm just happy you enjoy it.",
					"Seguro que tus amigos te preguntan qué usas. Si algún día te apetece contarlo con nosotros, te muestro cómo en diez minutos. Y si no, me alegra que lo disfrutes.",
				},
				say: phrase{
					"When friends ask what you use, what do you tell them? If you're ever curious, I can tell you how sharing works.",
					"Cuando tus amigos te preguntan qué usas, ¿qué les cuentas? Si algún día te da curiosidad, te cuento cómo funciona compartirlos.",
				},
			},
		},
	},
	CheckIn: {
		label:   phrase{"A promoter gone quiet", "Un promotor sin contacto reciente"},
		purpose: phrase{"to see how it is going", "para ver cómo va todo"},
		contents: []wording{
			{
				write: phrase{
					"How is your week going? If anything is in your way, tell me and we'll sort it out together.",
					"¿Cómo va tu semana? Si algo te lo está poniendo difícil, cuéntame y lo resolvemos juntos.",
				},
				say: phrase{
					"How are things going? What is one thing I could help you with this week?",
					"¿Cómo va todo? ¿En qué te puedo ayudar esta semana?",
				},
			},
			{
				write: phrase{
					"I'm glad you're on the team. Shall we plan one small step for this week together?",
					"Me alegra que estés en el equipo. ¿Planeamos juntos un pequeño paso para esta semana?",
				},
				say: phrase{
					"I'd love to hear from you. What went well lately, and what comes next?",
					"Me encantaría saber de ti. ¿Qué te salió bien últimamente y qué viene ahora?",
				},
			},
		},
	},
	Registered: {
		label:   phrase{"Signed up for a webinar to come", "Se apuntó a un webinar que está por venir"},
		purpose: phrase{"about their seat at the webinar", "por su lugar en el webinar"},
		notice:  phrase{"{name} signed up for the webinar: say that the seat is saved", "{name} se apuntó al webinar: dile que ya tiene su lugar"},
		contents: []wording{
			{
				write: phrase{
					"Your seat at the webinar is saved, and I'm glad you're coming. Is there anything you'd like to know beforehand?",
					"Ya tienes tu lugar en el webinar y me alegra que vengas. ¿Hay algo que quieras saber antes?",
				},
				say: phrase{
					"Your seat at the webinar is saved, I'm glad you're coming. What made you curious about it?",
					"Ya tienes tu lugar en el webinar, me alegra que vengas. ¿Qué te dio curiosidad?",
				},
			},
			{
				write: phrase{
					"The webinar is today and your seat is waiting for you. Shall I send you the link again, so that you have it at hand?",
					"El webinar es hoy y tu lugar te espera. ¿Te mando otra vez el enlace, para que lo tengas a mano?",
				},
				say: phrase{
					"The webinar is today. Do you have the link at hand, or shall I send it to you again?",
					"El webinar es hoy. ¿Tienes el enlace a mano o te lo mando otra vez?",
				},
			},
			{
				write: phrase{
					"The webinar is coming up. If the day no longer suits you, tell me and we'll find another one.",
					"Ya se acerca el webinar. Si ese día ya no te va bien, dime y buscamos otro.",
				},
				say: phrase{
					"The webinar is coming up. Does the day still suit you?",
					"Ya se acerca el webinar. ¿Te sigue viniendo bien el día?",
				},
			},
		},
	},
	Joined: {
		label:   phrase{"Is joining the webinar", "Está entrando al webinar"},
		purpose: phrase{"while the webinar is on", "mientras dura el webinar"},
		notice:  phrase{"{name} is joining the webinar right now: a short hello goes a long way", "{name} está entrando al webinar ahora mismo: un saludo corto ayuda mucho"},
		contents: []wording{
			{
				write: phrase{
					"So good that you're at the webinar! I'm close by the whole time: if a question comes up, just reply here.",
					"¡Qué bueno que estás en el webinar! Estoy al pendiente todo el tiempo: si te surge una duda, contéstame por aquí.",
				},
				say: phrase{
					"So good that you're at the webinar! Shall we talk for a minute when it ends?",
					"¡Qué bueno que estás en el webinar! ¿Hablamos un minuto cuando termine?",
				},
			},
			{
				write: phrase{
					"I saw you joined the webinar, enjoy it! Would a few minutes afterwards suit you, in case a question stays with you?",
					"Vi que entraste al webinar, ¡disfrútalo! ¿Te van bien unos minutos después, por si te queda alguna duda?",
				},
				say: phrase{
					"I saw you joined the webinar, enjoy it! Would it help to talk it over when it ends?",
					"Vi que entraste al webinar, ¡disfrútalo! ¿Te ayudaría comentarlo cuando termine?",
				},
			},
		},
	},
	Visiting: {
		label:   phrase{"Is on the website", "Está en la página"},
		purpose: phrase{"while the interest is fresh", "ahora que hay interés"},
		notice:  phrase{"{name} is on your website right now: a good moment to say hello", "{name} está en tu página ahora mismo: es buen momento para saludar"},
		contents: []wording{
			{
				write: phrase{
					"Thanks for stopping by my page! If there's anything you'd like to ask, I'm right here.",
					"¡Gracias por pasar por mi página! Si quieres preguntarme algo, aquí estoy.",
				},
				say: phrase{
					"Thanks for stopping by my page! Is there anything I can help you find?",
					"¡Gracias por pasar por mi página! ¿Te ayudo a encontrar algo?",
				},
			},
			{
				write: phrase{
					"Welcome to my page! What would you like to know more about?",
					"¡Te doy la bienvenida a mi página! ¿De qué te gustaría saber más?",
				},
				say: phrase{
					"How nice that you found my page! What made you curious?",
					"¡Qué gusto que encontraras mi página! ¿Qué te dio curiosidad?",
				},
			},
		},
	},
	Own1: {
		label:   phrase{"The first two weeks of a promoter", "Las dos primeras semanas de un promotor"},
		purpose: phrase{"about the first steps", "por sus primeros pasos"},
		because: phrase{"{days} days on the team", "{days} días en el equipo"},
		contents: []wording{
			{
				write: phrase{
					"I'm so glad you're on the team! Shall we take ten minutes to choose your first small step together?",
					"¡Me alegra mucho que estés en el equipo! ¿Nos tomamos diez minutos para elegir juntos tu primer paso?",
				},
				say: phrase{
					"I'm so glad you're on the team! What would you like to begin with? Let's choose one small step together.",
					"¡Me alegra mucho que estés en el equipo! ¿Con qué te gustaría empezar? Elijamos juntos un primer paso.",
				},
			},
			{
				write: phrase{
					"How was your first week? Tell me one thing that went well, and one that I can help you with.",
					"¿Qué tal tu primera semana? Cuéntame algo que te salió bien y algo en lo que te pueda ayudar.",
				},
				say: phrase{
					"How was your first week? What went well, and where can I lend you a hand?",
					"¿Qué tal tu primera semana? ¿Qué te salió bien y en qué te echo una mano?",
				},
			},
			{
				write: phrase{
					"Two weeks already! Which conversation did you enjoy most? I'd be glad to practise the next one with you.",
					"¡Ya van dos semanas! ¿Qué conversación disfrutaste más? Con gusto practicamos juntos la próxima.",
				},
				say: phrase{
					"Two weeks already! What has been easier than you thought, and what would you like to practise together?",
					"¡Ya van dos semanas! ¿Qué te ha resultado más fácil de lo que pensabas y qué te gustaría practicar juntos?",
				},
			},
		},
	},
	Own2: {
		label:   phrase{"The first three months of a promoter", "Los tres primeros meses de un promotor"},
		purpose: phrase{"about what comes next", "por lo que sigue"},
		because: phrase{"{days} days on the team", "{days} días en el equipo"},
		contents: []wording{
			{
				write: phrase{
					"A month on the team! What would you like the next one to look like? I'd be glad to plan it with you.",
					"¡Un mes en el equipo! ¿Cómo te gustaría que fuera el próximo? Con gusto lo planeamos juntos.",
				},
				say: phrase{
					"You've been on the team for a month. What are you proud of, and what comes next?",
					"Llevas un mes en el equipo. ¿Qué es lo que más te enorgullece y qué sigue ahora?",
				},
			},
			{
				write: phrase{
					"Two months on the team, and I'd love to hear how it feels. What shall we do more of, and what less?",
					"Dos meses en el equipo, y me encantaría saber cómo te sientes. ¿Qué hacemos más y qué menos?",
				},
				say: phrase{
					"Two months on the team already. What works well for you, and where would you like support?",
					"Ya van dos meses en el equipo. ¿Qué te funciona bien y en qué te gustaría tener apoyo?",
				},
			},
			{
				write: phrase{
					"Three months: thank you for being part of this! Shall we look back together and choose your next goal?",
					"Tres meses: ¡gracias por ser parte de esto! ¿Miramos juntos lo que llevas y elegimos tu próxima meta?",
				},
				say: phrase{
					"It's been three months. Looking back, what are you glad you did? And what is your next goal?",
					"Han pasado tres meses. Mirando atrás, ¿qué te alegra haber hecho? ¿Y cuál es tu próxima meta?",
				},
			},
		},
	},
	Own3: {
		label:   phrase{"A thank-you to a loyal customer", "Las gracias a un cliente fiel"},
		purpose: phrase{"just to say thank you", "solo para dar las gracias"},
		because: phrase{"{days} days since the first order", "{days} días desde el primer pedido"},
		contents: []wording{
			{
				write: phrase{
					"It's been about half a year since your first order, and I just wanted to say thank you. How are you?",
					"Ya hace como medio año de tu primer pedido y solo quería darte las gracias. ¿Cómo estás?",
				},
				say: phrase{
					"It's been about half a year since your first order, and I simply wanted to thank you. How are you?",
					"Ya hace como medio año de tu primer pedido y quería darte las gracias, sin más. ¿Cómo estás?",
				},
			},
			{
				write: phrase{
					"It's a year since your first order. Thank you for staying with us! How have you been?",
					"Se cumple un año de tu primer pedido. ¡Gracias por seguir con nosotros! ¿Cómo has estado?",
				},
				say: phrase{
					"It's a year since your first order, and I wanted to thank you myself. How have you been?",
					"Se cumple un año de tu primer pedido y quería darte las gracias personalmente. ¿Cómo has estado?",
				},
			},
			{
				write: phrase{
					"Two years since your first order: thank you for your trust! Is there anything I could do better for you?",
					"Dos años desde tu primer pedido: ¡gracias por tu confianza! ¿Hay algo que pueda hacer mejor por ti?",
				},
				say: phrase{
					"It's two years since your first order, thank you! What could I do better for you?",
					"Se cumplen dos años de tu primer pedido, ¡gracias! ¿Qué podría hacer mejor por ti?",
				},
			},
		},
	},
	Own4: {
		label:   phrase{"A customer without orders in the book", "Un cliente sin pedidos en la agenda"},
		purpose: phrase{"to ask how it's going with the products", "para preguntarle qué tal le va con los productos"},
		because: phrase{"no order in your book yet", "todavía sin pedidos en tu agenda"},
		contents: []wording{
			{
				write: phrase{
					"How are you getting on with our products? If there's anything you'd like to know, or to try next, I'm right here.",
					"¿Qué tal te va con nuestros productos? Si quieres saber algo, o probar otra cosa, aquí estoy.",
				},
				say: phrase{
					"How are you getting on with our products? What do you like best so far?",
					"¿Qué tal te va con nuestros productos? ¿Qué es lo que más te gusta hasta ahora?",
				},
			},
			{
				write: phrase{
					"I was wondering how our products suit you. Is there anything I can help with, or anything you're running low on?",
					"Quería saber qué tal te sientan nuestros productos. ¿Te ayudo con algo, o hay algo que se te esté acabando?",
				},
				say: phrase{
					"I wanted to hear how it's going with our products. Is there anything I can help you with?",
					"Quería saber qué tal te va con nuestros productos. ¿Te ayudo en algo?",
				},
			},
		},
	},
}

// In the sentences of reasons, {0} {1} {2} stand for an argument as a number, {ago} for the first argument as "today",
// "yesterday", "5 days ago", {ago1} for the second, {in1} for it as "tomorrow", "in 5 days", {days} and {days1} for "1 day",
// "5 days", {by} for a channel ("calls"), {way} for it too ("by phone").
var sentences = [NumReasons]phrase{
	CapturedAgo:    {"new contact, added {ago}", "contacto nuevo, añadido {ago}"},
	FormAgo:        {"filled in your form {ago}", "rellenó tu formulario {ago}"},
	AttendedAgo:    {"attended the webinar {ago}", "asistió al webinar {ago}"},
	AbsentAgo:      {"signed up for the webinar that took place {ago}", "se apuntó al webinar que fue {ago}"},
	NotReadyAgo:    {"said “not yet” {ago}: a small next step may suit", "dijo «todavía no» {ago}: puede venir bien un paso pequeño"},
	NotReadySeen:   {"said “not yet” {ago}, after the webinar: a small next step may suit", "dijo «todavía no» {ago}, después del webinar: puede venir bien un paso pequeño"},
	WatchedAgo:     {"watched the video {ago}", "vio el video {ago}"},
	ClickedAgo:     {"opened what you shared {ago}", "abrió lo que compartiste {ago}"},
	PromisedAgo:    {"you promised to get back, due {ago}", "quedaste en hablar, tocaba {ago}"},
	QuietDays:      {"last in touch {ago}", "último contacto {ago}"},
	NeverContacted: {"added {ago}, not yet contacted", "añadido {ago}, todavía sin contactar"},
	UsualCycle:     {"usually every {days}, last {ago1}", "suele pedir cada {days}, la última vez {ago1}"},
	CompanyCycle:   {"customers usually reorder after {days}, last order {ago1}", "los clientes suelen repetir a los {days}, último pedido {ago1}"},
	FirstOrderAgo:  {"first order {ago}", "primer pedido {ago}"},
	LoyalOrders:    {"ordered on {days}, last {ago1}", "ha pedido en {days} distintos, la última vez {ago1}"},
	RegisteredAgo:  {"signed up {ago} for a webinar {in1}", "se apuntó {ago} a un webinar que es {in1}"},
	WebinarToday:   {"signed up for the webinar, which is today", "se apuntó al webinar, que es hoy"},
	JoinedAgo:      {"joined the webinar {ago}", "entró al webinar {ago}"},
	VisitedAgo:     {"was on your website {ago}", "estuvo en tu página {ago}"},
	NotReached:     {"last try {ago}, no conversation noted yet", "último intento {ago}, todavía sin conversación anotada"},
	AnswersBy:      {"answers {by}: {1} of {2}", "responde {way}: {1} de {2}"},
	SpokeAgo:       {"last conversation {ago}", "última conversación {ago}"},
	MovedAgo:       {"took a step forward {ago}", "dio un paso adelante {ago}"},
	Interest:       {"other signs of interest in the last {days1}: {0}", "otras señales de interés en los últimos {days1}: {0}"},
	OrderLikely:    {"{0} of 100 such customers order within {days1}", "{0} de cada 100 clientes así piden en {days1}"},
	TriesSoFar:     {"tries so far: {0}", "intentos hasta ahora: {0}"},
	ByChannel:      {"the way chosen: {by}", "el medio elegido: {by}"},
	ByContent:      {"the wording chosen", "las palabras elegidas"},
	OwnWay:         {"how it goes for you {way}", "cómo te va {way}"},
	OwnWords:       {"how it goes for you with these words", "cómo te va con estas palabras"},
	OwnContact:     {"responds to you more than most", "te responde más que la mayoría"},
	OwnContactWay:  {"responds {way}", "responde {way}"},
	Tried:          {"words that are being tried this week", "palabras que se prueban esta semana"},
	OrdersSoFar:    {"days with an order so far: {0}", "días con pedido hasta ahora: {0}"},
	NotHeard:       {"no conversation of late", "sin conversación reciente"},
	NoInterest:     {"no other sign of interest in the last {days1}", "sin otra señal de interés en los últimos {days1}"},
}

// Sentences that depend on an argument: PromisedAgo of today, NeverContacted of an imported contact, CompanyCycle of a customer whose few
// own gaps have moved the company's cycle, LoyalOrders of a single day.
var (
	orderedOnce = phrase{"ordered once, {ago1}", "ha pedido una vez, {ago1}"}
	dueToday    = phrase{"you promised to get back today", "quedaste en hablar hoy"}
	imported    = phrase{"in your book, not yet contacted", "en tu agenda, todavía sin contactar"}
	mixedCycle  = phrase{
		"customers with orders like these usually reorder after {days}, last order {ago1}",
		"los clientes con pedidos así suelen repetir a los {days}, último pedido {ago1}",
	}
)

var byChannel = [NumChannels]phrase{
	Call:     {"calls", "llamadas"},
	Text:     {"texts", "mensajes"},
	Email:    {"e-mails", "correos"},
	InPerson: {"in person", "en persona"},
}

var wayOf = [NumChannels]phrase{
	Call:     {"by phone", "por teléfono"},
	Text:     {"by text", "por mensaje"},
	Email:    {"by e-mail", "por correo"},
	InPerson: {"in person", "en persona"},
}

// Sentence writes a reason out in English or Spanish, with its numbers and without a full stop; that of a company's own
// trigger in the languages that the company has. It is empty for an unknown code.
func (pb *Playbook) Sentence(r Reason, lang string) string {
	if r.Code >= NumReasons {
		return ""
	}
	if slot := r.Args[1]; r.Code == OwnMoment {
		if slot < 1 || slot > int64(NumTriggers-Own1) {
			return ""
		}
		p := pb.Rules[Own1+TriggerID(slot-1)].Because.pick(lang)
		b := blanks{days: r.Args[0], lang: p.Lang}
		return b.fill(p.Text)
	}
	l := tongue(lang)
	s := sentences[r.Code][l]
	switch {
	case r.Code == PromisedAgo && r.Args[0] == 0:
		s = dueToday[l]
	case r.Code == NeverContacted && r.Args[1] != 0:
		s = imported[l]
	case r.Code == CompanyCycle && r.Args[2] != 0:
		s = mixedCycle[l]
	case r.Code == LoyalOrders && r.Args[0] == 1:
		s = orderedOnce[l]
	}
	if !strings.Contains(s, "{") {
		return s
	}
	by, way := "", ""
	if ch := r.Args[0]; ch >= 0 && ch < int64(NumChannels) {
		by, way = byChannel[ch][l], wayOf[ch][l]
	}
	return strings.NewReplacer(
		"{0}", strconv.FormatInt(r.Args[0], 10),
		"{1}", strconv.FormatInt(r.Args[1], 10),
		"{2}", strconv.FormatInt(r.Args[2], 10),
		"{ago}", ago(r.Args[0], l), "{ago1}", ago(r.Args[1], l), "{in1}", until(r.Args[1], l),
		"{days}", days(r.Args[0], l), "{days1}", days(r.Args[1], l),
		"{by}", by, "{way}", way,
	).Replace(s)
}

func days(n int64, l int) string {
	unit := phrase{" days", " días"}
	if n == 1 {
		unit = phrase{" day", " día"}
	}
	return strconv.FormatInt(n, 10) + unit[l]
}

func ago(n int64, l int) string {
	switch {
	case n == 0:
		return phrase{"today", "hoy"}[l]
	case n == 1:
		return phrase{"yesterday", "ayer"}[l]
	case l == 1:
		return "hace " + days(n, l)
	default:
		return days(n, l) + " ago"
	}
}

// until says when a day is that lies so many days ahead.
func until(n int64, l int) string {
	switch {
	case n == 1:
		return phrase{"tomorrow", "mañana"}[l]
	case l == 1:
		return "dentro de " + days(n, l)
	default:
		return "in " + days(n, l)
	}
}
